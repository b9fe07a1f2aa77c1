//! A queue's batch: what the core makes of its messages is sent, as much of it at once as the core says, until each
//! message has its fate.

use std::cell::RefCell;
use std::rc::Rc;

use serde::Serialize;
use web_sys::RequestInit;

use crate::core::log::Line;
use crate::core::relay::consumer::{Consumer, Delivery, Fate, Next};
use crate::core::wire::{Answer, Request};
use crate::js::executor;
use crate::js::fetch;
use crate::js::timer::{Deadline, Signal};

use super::request::now_ms;
use super::{host, known, with};

/// A batch under way.
pub struct Batch {
    /// The number under which the host knows it.
    pub call: u32,
    /// The options of its consumer.
    pub options: String,
    /// Milliseconds that one request may take.
    pub timeout_ms: u64,
    /// What the core knows of it, until it is over.
    pub delivery: RefCell<Option<Delivery>>,
}

/// What is said to the queue of a message: that it is stored, or the seconds after which it is to come again, where that is
/// not the queue's to say.
#[derive(Serialize)]
#[serde(untagged)]
pub enum Told {
    Stored(bool),
    Again(Option<u64>),
}

impl Batch {
    /// Goes a step with what the consumer knows; nothing where the batch is over.
    fn step<T>(&self, step: impl FnOnce(&mut Consumer, &mut Delivery, u64) -> T) -> Option<T> {
        with(|state| {
            let consumer = &mut known(&mut state.known, &self.options).consumer;
            let mut delivery = self.delivery.borrow_mut();
            delivery.as_mut().map(|delivery| step(consumer, delivery, now_ms()))
        })
    }

    /// What becomes of its messages, in their order, and what is to be logged.
    fn close(&self) -> (Vec<Fate>, Vec<Line>) {
        let Some(delivery) = self.delivery.take() else { return Default::default() };
        with(|state| known(&mut state.known, &self.options).consumer.close(delivery, now_ms()))
    }

    async fn send(&self, session: usize, request: Request) {
        let ask = |url: &str, init: &RequestInit| host::fetch(self.call, url, init);
        let answer: Answer = fetch::send(request, self.timeout_ms, ask).await.into();
        self.step(|consumer, delivery, now| consumer.answered(delivery, session, &answer, now));
    }
}

/// Delivers the batch to its end.
pub async fn deliver(batch: Rc<Batch>) -> Vec<Told> {
    let answered = Signal::default();
    loop {
        match batch.step(|consumer, delivery, now| consumer.next(delivery, now)) {
            Some(Next::Send { session, request }) => {
                let (batch, answered) = (batch.clone(), answered.clone());
                executor::spawn(batch.call, async move {
                    batch.send(session, request).await;
                    answered.give();
                });
            }
            Some(Next::Answer) => answered.wait().await,
            Some(Next::Wait(ms)) => drop(Deadline::after(ms).wait_for(answered.wait()).await),
            Some(Next::Over) | None => break,
        }
    }
    let (fates, log) = batch.close();
    for line in &log {
        host::log(line.level.name(), &line.message);
    }
    let told = |fate| match fate {
        Fate::Stored => Told::Stored(true),
        Fate::Again { after_s } => Told::Again(after_s),
    };
    fates.into_iter().map(told).collect()
}
