//! How the two sides of a compilation talk: the component goes in as it is, to the end of the pipe; one answer
//! comes out, as a tag, a length and that many bytes.
//!
//! What is read here was written by a process that handled a stranger's input: lengths are checked before
//! anything is allocated, texts are cut.

use std::io::{self, Write};

use tokio::io::{AsyncRead, AsyncReadExt as _};
use wasmyard_runtime::ModuleError;

/// Longest text of a refusal.
const MAX_TEXT_BYTES: u64 = 4 << 10;

const CODE: u8 = 1;
const INVALID: u8 = 2;
const BOUND: u8 = 3;
const MEMORY: u8 = 4;
const INTERNAL: u8 = 5;
const NO_HANDLER: u8 = 6;
const OTHER_WASI: u8 = 7;
const SCRIPT: u8 = 8;

/// What a compiler answers.
pub(super) type Answer = Result<Vec<u8>, ModuleError>;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoAnswer {
    /// The pipe ended first, or what came is no answer.
    #[error("there was no answer")]
    Broken,
    /// The code is longer than is taken.
    #[error("the code is too long")]
    TooLong,
}

/// Writes an answer.
///
/// # Errors
/// When nobody reads it.
pub(super) fn write(mut to: impl Write, answer: &Answer) -> io::Result<()> {
    let (tag, bytes) = match answer {
        Ok(code) => (CODE, code.clone()),
        Err(ModuleError::Invalid(text)) => (INVALID, cut(text)),
        Err(ModuleError::Bound(text)) => (BOUND, cut(text)),
        Err(ModuleError::TooMuchMemory) => (MEMORY, Vec::new()),
        Err(ModuleError::NoHandler) => (NO_HANDLER, Vec::new()),
        Err(ModuleError::OtherWasi(text)) => (OTHER_WASI, cut(text)),
        Err(ModuleError::Script(text)) => (SCRIPT, cut(text)),
        Err(ModuleError::Internal(text)) => (INTERNAL, cut(text)),
        // The parent has looked at the header before.
        Err(other) => (INVALID, cut(&other.to_string())),
    };
    to.write_all(&[tag])?;
    to.write_all(&(bytes.len() as u64).to_le_bytes())?;
    to.write_all(&bytes)?;
    to.flush()
}

/// Reads one answer with at most `most` bytes of code, and the end behind it.
pub(super) async fn read(mut from: impl AsyncRead + Unpin, most: u64) -> Result<Answer, NoAnswer> {
    let tag = from.read_u8().await.map_err(|_| NoAnswer::Broken)?;
    let length = from.read_u64_le().await.map_err(|_| NoAnswer::Broken)?;
    if length > if tag == CODE { most } else { MAX_TEXT_BYTES } {
        return Err(if tag == CODE { NoAnswer::TooLong } else { NoAnswer::Broken });
    }
    let length = usize::try_from(length).map_err(|_| NoAnswer::TooLong)?;
    let mut bytes = vec![0; length];
    from.read_exact(&mut bytes).await.map_err(|_| NoAnswer::Broken)?;
    if !matches!(from.read_u8().await, Err(error) if error.kind() == io::ErrorKind::UnexpectedEof) {
        return Err(NoAnswer::Broken);
    }
    if tag == CODE {
        return Ok(Ok(bytes));
    }
    let text = String::from_utf8_lossy(&bytes).into_owned();
    Ok(Err(match tag {
        INVALID => ModuleError::Invalid(text),
        BOUND => ModuleError::Bound(text),
        MEMORY => ModuleError::TooMuchMemory,
        NO_HANDLER => ModuleError::NoHandler,
        OTHER_WASI => ModuleError::OtherWasi(text),
        SCRIPT => ModuleError::Script(text),
        INTERNAL => ModuleError::Internal(text),
        _ => return Err(NoAnswer::Broken),
    }))
}

/// As much of a text as is sent: cut between characters.
fn cut(text: &str) -> Vec<u8> {
    let most = usize::try_from(MAX_TEXT_BYTES).unwrap_or(usize::MAX);
    let end = text.floor_char_boundary(most);
    text.get(..end).unwrap_or(text).as_bytes().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn sent(answer: &Answer, most: u64) -> Result<Answer, NoAnswer> {
        let mut pipe = Vec::new();
        write(&mut pipe, answer).unwrap();
        read(pipe.as_slice(), most).await
    }

    #[tokio::test]
    async fn answers_arrive_as_they_were_sent() {
        assert_eq!(sent(&Ok(vec![7; 1000]), 1000).await.unwrap().unwrap(), vec![7; 1000]);
        for (refusal, text) in [
            (ModuleError::Invalid("why".into()), "the component is not valid: why"),
            (ModuleError::Bound("too many".into()), "too many"),
            (ModuleError::OtherWasi("imports x@0.3.0".into()), "the component imports x@0.3.0, and of WASI"),
            (ModuleError::Script("Error: boom".into()), "Error: boom"),
            (ModuleError::Internal("disk".into()), "the platform could not compile the component"),
            (ModuleError::CoreModule, "the component is not valid: this is a core WebAssembly module"),
        ] {
            let arrived = sent(&Err(refusal), 0).await.unwrap().unwrap_err().to_string();
            assert!(arrived.starts_with(text), "{arrived}");
        }
        assert!(matches!(
            sent(&Err(ModuleError::TooMuchMemory), 0).await,
            Ok(Err(ModuleError::TooMuchMemory))
        ));
        assert!(matches!(sent(&Err(ModuleError::NoHandler), 0).await, Ok(Err(ModuleError::NoHandler))));
    }

    #[tokio::test]
    async fn long_texts_are_cut_and_long_code_is_refused_before_it_is_read() {
        let refusal = sent(&Err(ModuleError::Bound("ü".repeat(5000))), 0).await.unwrap().unwrap_err();
        assert_eq!(refusal.to_string(), "ü".repeat(2048));
        assert!(matches!(sent(&Ok(vec![0; 11]), 10).await, Err(NoAnswer::TooLong)));
        let mut huge = vec![CODE];
        huge.extend(u64::MAX.to_le_bytes());
        assert!(matches!(read(huge.as_slice(), u64::MAX - 1).await, Err(NoAnswer::TooLong)));
    }

    #[tokio::test]
    async fn what_is_no_whole_answer_is_none() {
        let mut whole = Vec::new();
        write(&mut whole, &Ok(vec![1, 2, 3])).unwrap();
        for length in 0..whole.len() {
            assert!(matches!(read(&whole[..length], 10).await, Err(NoAnswer::Broken)), "{length}");
        }
        whole.push(0);
        assert!(matches!(read(whole.as_slice(), 10).await, Err(NoAnswer::Broken)), "one byte more");
        let unknown = [9, 0, 0, 0, 0, 0, 0, 0, 0];
        assert!(matches!(read(unknown.as_slice(), 10).await, Err(NoAnswer::Broken)));
    }
}
