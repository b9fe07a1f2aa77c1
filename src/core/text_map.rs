//! A compact map from texts to numbers with lookup in logarithmic time.

/// A number for each text, sorted by text.
#[derive(Debug, Default)]
pub struct TextMap(Vec<(String, u64)>);

impl TextMap {
    /// The number of `text`, which is 0 if the map did not contain it.
    pub fn number_mut(&mut self, text: &str) -> &mut u64 {
        let place = self.place(text);
        if self.0.get(place).is_none_or(|(other, _)| other != text) {
            self.0.insert(place, (text.to_owned(), 0));
        }
        &mut self.0[place].1
    }

    /// Removes `text` if the map contains it.
    pub fn remove(&mut self, text: &str) {
        let place = self.place(text);
        if self.0.get(place).is_some_and(|(other, _)| other == text) {
            self.0.remove(place);
        }
    }

    /// The only text of the map, or `None` if it contains none or several.
    pub fn only(&self) -> Option<&str> {
        match &self.0[..] {
            [(only, _)] => Some(only),
            _ => None,
        }
    }

    fn place(&self, text: &str) -> usize {
        self.0.partition_point(|(other, _)| **other < *text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_text_has_a_number_until_it_is_removed() {
        let mut map = TextMap::default();
        assert_eq!(map.only(), None);
        for text in ["b", "a", "b", "", "b"] {
            *map.number_mut(text) += 1;
        }
        assert_eq!(["", "a", "b"].map(|text| *map.number_mut(text)), [1, 1, 3]);
        assert_eq!(map.only(), None);
        for text in ["a", "c", ""] {
            map.remove(text);
        }
        assert_eq!(map.only(), Some("b"));
        assert_eq!(*map.number_mut("a"), 0);
    }
}
