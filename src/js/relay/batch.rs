//! Delivers a batch of a queue: sends the requests that the core builds from its messages, as many at once as the core
//! allows, until the fate of each message is known.

use std::cell::RefCell;
use std::rc::Rc;

use serde::Serialize;
use web_sys::RequestInit;

use crate::core::log::Line;
use crate::core::relay::consumer::{BatchAction, Consumer, Delivery, Fate};
use crate::core::wire::{Answer, Request};
use crate::js::clock::unix_ms;
use crate::js::executor;
use crate::js::fetch::{self, BodyForm};
use crate::js::timer::{Deadline, Signal};

use super::{host, relay_of, with};

/// A batch that is being delivered.
pub struct QueueBatch {
    /// The number of the host's call.
    pub call: u32,
    /// The options of its consumer.
    pub options: String,
    /// How long one request may take, in milliseconds.
    pub timeout_ms: u64,
    /// The core's state of the delivery; `None` once it is over.
    pub delivery: RefCell<Option<Delivery>>,
}

/// The result for one message: that it is stored, or the seconds after which the queue should deliver it again; `None`
/// leaves the delay to the queue.
#[derive(Serialize)]
#[serde(untagged)]
pub enum MessageResult {
    Stored(bool),
    Again(Option<u64>),
}

impl QueueBatch {
    /// Calls `step` with the consumer and the delivery; `None` if the batch is over.
    fn step<T>(&self, step: impl FnOnce(&mut Consumer, &mut Delivery, u64) -> T) -> Option<T> {
        with(|state| {
            let consumer = &mut relay_of(&mut state.relays, &self.options).consumer;
            let mut delivery = self.delivery.borrow_mut();
            delivery.as_mut().map(|delivery| step(consumer, delivery, unix_ms()))
        })
    }

    /// Ends the delivery. Returns the fates of its messages, in their order, and lines for the log.
    fn close(&self) -> (Vec<Fate>, Vec<Line>) {
        let Some(delivery) = self.delivery.take() else { return Default::default() };
        with(|state| relay_of(&mut state.relays, &self.options).consumer.close(delivery, unix_ms()))
    }

    async fn send(&self, session: usize, request: Request) {
        let fetch_with = |url: &str, init: &RequestInit| host::fetch(self.call, url, init);
        let answer: Answer =
            fetch::send(request, BodyForm::Text, self.timeout_ms, fetch_with).await.into();
        self.step(|consumer, delivery, now| consumer.answered(delivery, session, &answer, now));
    }
}

/// Delivers the batch, and returns the result for each of its messages.
pub async fn deliver(batch: Rc<QueueBatch>) -> Vec<MessageResult> {
    let answer_signal = Signal::default();
    loop {
        match batch.step(|consumer, delivery, now| consumer.next(delivery, now)) {
            Some(BatchAction::Send { session, request }) => {
                let (batch, answer_signal) = (batch.clone(), answer_signal.clone());
                executor::spawn(batch.call, async move {
                    batch.send(session, request).await;
                    answer_signal.raise();
                });
            }
            Some(BatchAction::Answer) => answer_signal.wait().await,
            Some(BatchAction::Wait(ms)) => {
                Deadline::after(ms).wait_for(answer_signal.wait()).await;
            }
            Some(BatchAction::Over) | None => break,
        }
    }
    let (fates, log) = batch.close();
    for line in &log {
        host::log(line.level.name(), &line.message);
    }
    let result_of = |fate| match fate {
        Fate::Stored => MessageResult::Stored(true),
        Fate::Again { after_s } => MessageResult::Again(after_s),
    };
    fates.into_iter().map(result_of).collect()
}
