//! What a session's metrics add up to, which `addMetrics` adds to.

use super::enrichment::Enrichment;
use super::json::{Numerals, Object, any_members};
use super::policy::REMEMBERED_METRICS;

/// A running total of one metric, kept exact over many small increments (Neumaier's sum).
#[derive(Clone, Copy, Debug, Default)]
struct Total {
    /// What it was set to, which the sum is added to.
    base: f64,
    /// Whether that was said on this page.
    is_set: bool,
    sum: f64,
    correction: f64,
}

impl Total {
    fn add(&mut self, increment: f64) {
        let sum = self.sum + increment;
        self.correction += if self.sum.abs() >= increment.abs() {
            (self.sum - sum) + increment
        } else {
            (increment - sum) + self.sum
        };
        self.sum = sum;
    }

    fn value(self) -> f64 {
        self.base + (self.sum + self.correction)
    }
}

/// The totals of one session: the metrics' keys (JSON), and what they add up to.
#[derive(Debug, Default)]
pub struct Totals(Vec<(String, Total)>);

impl Totals {
    /// What `key` (JSON) comes to with `increment` added.
    pub fn with(&self, key: &str, increment: f64) -> f64 {
        let mut total = self.place(key).map_or(Total::default(), |place| self.0[place].1);
        total.add(increment);
        total.value()
    }

    /// Whether no more metrics would have to be remembered, with these, than a session may have.
    pub fn have_room_for(&self, increments: &[(&str, f64)]) -> bool {
        let mut metrics = self.0.len();
        for (key, _) in increments {
            metrics += usize::from(self.place(key).is_none());
        }
        metrics <= REMEMBERED_METRICS
    }

    /// Adds `increments`, now that they are accepted.
    pub fn add(&mut self, increments: &[(&str, f64)]) {
        for (key, increment) in increments {
            if let Some(total) = self.get(key) {
                total.add(*increment);
            }
        }
    }

    /// Metrics that `enrichment` sets are what later increments add to.
    pub fn set_by(&mut self, enrichment: &Enrichment, numerals: Numerals) {
        enrichment.each_metric(numerals, &mut |key, sum| {
            if let Some(total) = self.get(key) {
                *total = Total { base: sum, is_set: true, ..Total::default() };
            }
        });
    }

    /// Metrics that an earlier page left are what was added here since goes on from, unless they were set here.
    pub fn set_by_left(&mut self, enrichment: &Enrichment, numerals: Numerals) {
        enrichment.each_metric(numerals, &mut |key, sum| {
            if let Some(total) = self.get(key).filter(|total| !total.is_set) {
                total.base = sum;
            }
        });
    }

    /// What they come to, as a JSON object; empty where there are none.
    pub fn to_json(&self, numerals: Numerals) -> String {
        if self.0.is_empty() {
            return String::new();
        }
        let mut json = String::new();
        let mut object = Object::open(&mut json);
        for (key, total) in &self.0 {
            object.member(key, &(numerals.write)(total.value()));
        }
        object.close();
        json
    }

    /// Goes on from what [`Totals::to_json`] gave, where nothing newer is known.
    pub fn go_on_from(&mut self, json: &str, numerals: Numerals) {
        for (key, value) in any_members(json) {
            let (None, Some(base)) = (self.place(key), numerals.number(value)) else { continue };
            if let Some(total) = self.get(key) {
                total.base = base;
            }
        }
    }

    fn get(&mut self, key: &str) -> Option<&mut Total> {
        let place = match self.place(key) {
            Some(place) => place,
            None if self.0.len() >= REMEMBERED_METRICS => return None,
            None => {
                self.0.push((key.into(), Total::default()));
                self.0.len() - 1
            }
        };
        Some(&mut self.0[place].1)
    }

    fn place(&self, key: &str) -> Option<usize> {
        self.0.iter().position(|(known, _)| *known == *key)
    }
}
