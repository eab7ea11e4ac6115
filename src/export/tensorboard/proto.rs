//! Protocol buffers, as far as event files need them: a message is fields, each with its number.
//! Knows nothing of what they mean. <https://protobuf.dev/programming-guides/encoding/>

/// A message in the making.
#[derive(Clone, Debug, Default)]
pub(super) struct Message(Vec<u8>);

/// How a field's value is laid out.
#[derive(Clone, Copy)]
enum Wire {
    Varint = 0,
    Fixed64 = 1,
    Delimited = 2,
    Fixed32 = 5,
}

impl Message {
    /// Adds a whole number, a truth value or a variant of an enum.
    pub(super) fn integer(mut self, field: u32, value: u64) -> Self {
        self.tag(field, Wire::Varint);
        self.varint(value);
        self
    }

    /// Adds a `double`.
    pub(super) fn double(mut self, field: u32, value: f64) -> Self {
        self.tag(field, Wire::Fixed64);
        self.0.extend(value.to_le_bytes());
        self
    }

    /// Adds a `float`.
    pub(super) fn float(mut self, field: u32, value: f32) -> Self {
        self.tag(field, Wire::Fixed32);
        self.0.extend(value.to_le_bytes());
        self
    }

    /// Adds a text.
    pub(super) fn text(self, field: u32, text: &str) -> Self {
        self.bytes(field, text.as_bytes())
    }

    /// Adds a message.
    pub(super) fn message(self, field: u32, message: &Message) -> Self {
        self.bytes(field, &message.0)
    }

    /// Adds bytes.
    pub(super) fn bytes(mut self, field: u32, bytes: &[u8]) -> Self {
        self.tag(field, Wire::Delimited);
        self.varint(bytes.len() as u64);
        self.0.extend(bytes);
        self
    }

    /// Returns the encoded message.
    pub(super) fn encoded(&self) -> &[u8] {
        &self.0
    }

    fn tag(&mut self, field: u32, wire: Wire) {
        self.varint(u64::from(field) << 3 | wire as u64);
    }

    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push((value & 0x7f) as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_laid_out_as_the_documentation_shows() {
        // The examples of the encoding guide.
        assert_eq!(Message::default().integer(1, 150).encoded(), [0x08, 0x96, 0x01]);
        assert_eq!(
            Message::default().text(2, "testing").encoded(),
            [0x12, 0x07, 0x74, 0x65, 0x73, 0x74, 0x69, 0x6e, 0x67]
        );
        let inner = Message::default().integer(1, 150);
        let outer = Message::default().message(3, &inner);
        assert_eq!(outer.encoded(), [0x1a, 0x03, 0x08, 0x96, 0x01]);
    }
}
