//! Futures of several scopes: each is polled by what its own scope gave, whatever becomes of the others.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Poll, Waker};

use honeyhive_edge::js::executor::{forget, run, spawn};
use js_sys::Promise;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use wasm_bindgen_test::*;

use crate::answers::connect;

/// Waits until it is opened.
#[derive(Clone, Default)]
struct Gate(Rc<(Cell<bool>, RefCell<Vec<Waker>>)>);

impl Gate {
    async fn pass(&self) {
        poll_fn(|context| {
            if self.0.0.get() {
                return Poll::Ready(());
            }
            self.0.1.borrow_mut().push(context.waker().clone());
            Poll::Pending
        })
        .await;
    }

    fn open(&self) {
        self.0.0.set(true);
        self.0.1.take().into_iter().for_each(Waker::wake);
    }
}

/// Says when it is dropped.
struct Told(Rc<Cell<u32>>);

impl Drop for Told {
    fn drop(&mut self) {
        self.0.set(self.0.get() + 1);
    }
}

async fn turns() {
    for _ in 0..10 {
        JsFuture::from(Promise::resolve(&JsValue::UNDEFINED)).await.unwrap();
    }
}

#[wasm_bindgen_test]
async fn a_scope_that_is_torn_down_leaves_the_others_as_they_are() {
    connect();
    let (gate, ended, dropped) = (Gate::default(), Rc::<Cell<u32>>::default(), Rc::default());
    for scope in 1..=100 {
        let (gate, ended, told) = (gate.clone(), ended.clone(), Told(Rc::clone(&dropped)));
        spawn(scope, async move {
            gate.pass().await;
            ended.set(ended.get() + 1);
            drop(told);
        });
    }
    turns().await;
    assert_eq!((ended.get(), dropped.get()), (0, 0), "they wait");
    (1..=50).for_each(forget);
    assert_eq!((ended.get(), dropped.get()), (0, 50), "what was torn down holds nothing");
    gate.open();
    turns().await;
    assert_eq!((ended.get(), dropped.get()), (50, 100));
}

#[wasm_bindgen_test]
async fn futures_may_spawn_and_forget_while_they_are_polled() {
    connect();
    let ended = Rc::<RefCell<Vec<&str>>>::default();
    let ends = |name| {
        let ended = ended.clone();
        async move { ended.borrow_mut().push(name) }
    };
    let (own, sibling, other) = (ends("own"), ends("sibling"), ends("other"));
    spawn(1, async move {
        spawn(1, sibling);
        spawn(2, other);
        own.await;
    });
    assert!(ended.borrow().is_empty(), "nothing runs in the call that spawns");
    turns().await;
    assert_eq!(*ended.borrow(), ["own", "sibling", "other"]);

    // Its own scope: what it has done is done, and nothing of it goes on.
    let (gate, before, after) = (Gate::default(), ends("before"), ends("after"));
    let opened = gate.clone();
    spawn(3, async move {
        before.await;
        forget(3);
        gate.pass().await;
        after.await;
    });
    turns().await;
    opened.open();
    turns().await;
    assert_eq!(ended.borrow().last(), Some(&"before"));
    run(3);
    run(4);
}
