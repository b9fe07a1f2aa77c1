//! The running totals of a session's metrics, for `addMetrics`.

use super::enrichment::Enrichment;
use super::json::{Numerals, Object, any_members};
use super::policy::REMEMBERED_METRICS;

/// The running total of one metric. Neumaier's summation keeps it exact over many small increments.
#[derive(Clone, Copy, Debug, Default)]
struct Total {
    /// The value that the metric was last set to; the sum is added to it.
    base: f64,
    /// Whether the metric was set on this page.
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

/// The totals of one session, each with the metric's key as JSON.
#[derive(Debug, Default)]
pub struct Totals(Vec<(String, Total)>);

impl Totals {
    /// The total of `key` (JSON) with `increment` added, without storing it.
    pub fn with(&self, key: &str, increment: f64) -> f64 {
        let mut total = self.place(key).map_or(Total::default(), |place| self.0[place].1);
        total.add(increment);
        total.value()
    }

    /// Whether the metrics in `increments` can be remembered without exceeding the limit for a session.
    pub fn have_room_for(&self, increments: &[(&str, f64)]) -> bool {
        let mut metrics = self.0.len();
        for (key, _) in increments {
            metrics += usize::from(self.place(key).is_none());
        }
        metrics <= REMEMBERED_METRICS
    }

    /// Adds `increments`, after they were accepted.
    pub fn add(&mut self, increments: &[(&str, f64)]) {
        for (key, increment) in increments {
            if let Some(total) = self.get(key) {
                total.add(*increment);
            }
        }
    }

    /// Sets the totals of the metrics in `enrichment`. Later increments add to them.
    pub fn set_from(&mut self, enrichment: &Enrichment, numerals: Numerals) {
        enrichment.each_metric(numerals, &mut |key, sum| {
            if let Some(total) = self.get(key) {
                *total = Total { base: sum, is_set: true, ..Total::default() };
            }
        });
    }

    /// Sets the base of the metrics in `enrichment`, which an earlier page left unsent, unless they were set on this
    /// page. What this page has added since stays added.
    pub fn set_from_earlier_page(&mut self, enrichment: &Enrichment, numerals: Numerals) {
        enrichment.each_metric(numerals, &mut |key, sum| {
            if let Some(total) = self.get(key).filter(|total| !total.is_set) {
                total.base = sum;
            }
        });
    }

    /// Keeps the totals only until [`Totals::read`], because others may have added to them.
    pub fn rebase(&mut self) {
        for (_, total) in &mut self.0 {
            *total = Total { base: total.value(), ..Total::default() };
        }
    }

    /// Uses the backend's `metrics` (JSON) as the values to add to, except for metrics that were set here since.
    pub fn read(&mut self, metrics: &str, numerals: Numerals) {
        let metrics = any_members(metrics);
        for (key, total) in &mut self.0 {
            let stored = metrics.iter().find(|(known, _)| known == key);
            if !total.is_set {
                total.base = stored.and_then(|(_, it)| numerals.number(it)).unwrap_or_default();
            }
        }
        for (key, value) in metrics {
            let (None, Some(base)) = (self.place(key), numerals.number(value)) else { continue };
            if let Some(total) = self.get(key) {
                total.base = base;
            }
        }
    }

    /// Whether the total of `key` (JSON) was set here.
    pub fn is_known(&self, key: &str) -> bool {
        self.place(key).is_some_and(|place| self.0[place].1.is_set)
    }

    /// The totals as a JSON object; empty if there are none.
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

    /// Restores the totals that [`Totals::to_json`] returned, except for metrics that have a newer total.
    pub fn restore(&mut self, json: &str, numerals: Numerals) {
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
