//! What tracers share: settings that were made of the same options, and the destination of the same ticket.

use std::rc::{Rc, Weak};

use crate::core::concurrency::Place;
use crate::core::log::Line;
use crate::core::options::Options;
use crate::core::policy::REMEMBERED_SETTINGS;
use crate::core::settings::{Destination, Settings};

/// The settings and destinations that are in use.
#[derive(Debug, Default)]
pub(super) struct SharedSettings {
    /// Settings with the options that they were made of, the latest last.
    settings: Vec<(String, Weak<Settings>)>,
    /// The destinations with a ticket.
    relays: Vec<Weak<Destination>>,
}

impl SharedSettings {
    /// The settings that `options` describe. Tracers with the same options share them, because a hundred thousand
    /// copies would take many megabytes.
    pub(super) fn settings(
        &mut self,
        options: &Options<'_>,
        place: Place,
        log: &mut Vec<Line>,
    ) -> Rc<Settings> {
        let given = options.of_tracer();
        let mut over = None;
        for (place, (known, settings)) in self.settings.iter().enumerate() {
            match settings.upgrade() {
                None => over = Some(place),
                Some(settings) if *known == given => return settings,
                Some(_) => {}
            }
        }
        let mut settings = Settings::resolve(options, place, log);
        settings.change_destination(|made| self.destination(made));
        let settings = Rc::new(settings);
        if over.is_some() || self.settings.len() == REMEMBERED_SETTINGS {
            self.settings.remove(over.unwrap_or(0));
        }
        self.settings.push((given, Rc::downgrade(&settings)));
        settings
    }

    /// The destination that is in use for the same ticket or function, or else `made`.
    pub(super) fn destination(&mut self, made: Rc<Destination>) -> Rc<Destination> {
        if !made.is_ticket {
            return made;
        }
        self.relays.retain(|relay| relay.strong_count() > 0);
        for known in self.relays.iter().filter_map(Weak::upgrade) {
            if known == made || known.has_ticket_of(&made) {
                return known;
            }
        }
        self.relays.push(Rc::downgrade(&made));
        made
    }
}
