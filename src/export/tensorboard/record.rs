//! The frame around each event: its length and the event, each with a masked CRC-32C, as TensorFlow
//! writes its record files. Knows nothing of events.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

use super::super::error::{ExportError, writing};
use super::proto::Message;

/// A file of records.
pub(super) struct Records {
    path: PathBuf,
    file: BufWriter<File>,
}

impl Records {
    /// Creates the file.
    pub(super) fn create(path: PathBuf) -> Result<Self, ExportError> {
        let file = File::create(&path).map_err(writing(&path))?;
        Ok(Self { file: BufWriter::new(file), path })
    }

    /// Appends a record.
    pub(super) fn write(&mut self, message: &Message) -> Result<(), ExportError> {
        frame(&mut self.file, message.encoded()).map_err(writing(&self.path))
    }

    /// Completes the file.
    pub(super) fn finish(mut self) -> Result<(), ExportError> {
        self.file.flush().map_err(writing(&self.path))
    }
}

fn frame(out: &mut impl Write, data: &[u8]) -> io::Result<()> {
    let length = (data.len() as u64).to_le_bytes();
    out.write_all(&length)?;
    out.write_all(&masked(&length).to_le_bytes())?;
    out.write_all(data)?;
    out.write_all(&masked(data).to_le_bytes())
}

/// A checksum of data that holds checksums is masked, so that it is none of itself.
fn masked(data: &[u8]) -> u32 {
    crc32c::crc32c(data).rotate_right(15).wrapping_add(0xa282_ead8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_framed_as_tensorflow_frames_it() {
        // The first record of every event file: wall time 0 and the version.
        let version = Message::default().double(1, 0.0).text(3, "brain.Event:2");
        let mut bytes = Vec::new();
        frame(&mut bytes, version.encoded()).unwrap();
        assert_eq!(bytes.len(), 8 + 4 + 24 + 4);
        assert_eq!(bytes[..8], 24_u64.to_le_bytes());
        // The CRC-32C of 32 zero bytes is 0x8a9136aa (RFC 3720, B.4).
        assert_eq!(masked(&[0; 32]), 0x8a91_36aa_u32.rotate_right(15).wrapping_add(0xa282_ead8));
    }
}
