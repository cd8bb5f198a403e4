//! The fields that follow an answer's content.

use super::View;
use crate::response::neutralise_line_ends;

impl View<'_> {
    /// nginx: `add_trailer`: lines that follow the content; an empty value adds none.
    pub fn push_trailer(&self, out: &mut Vec<u8>) {
        let location = self.request.at.location(self.request.place);
        let is_good = self.response.is_good();
        let fields = location.client.bodies.trailers.iter();
        for field in fields.filter(|field| is_good || field.always) {
            let mut value = self.text(&field.value).into_owned();
            if !value.is_empty() {
                neutralise_line_ends(&mut value);
                http1::push_field(out, &field.name, &value);
            }
        }
    }
}
