//! A component whose memory begins with an image instead of what its data segments write.
//!
//! Only for the platform's own engine: one core module with data, segments at constant places, no instruction that names
//! a segment. What is otherwise is refused, for then the image would not be what the segments make.

use wasmparser::{BinaryReader, DataKind, DataSectionReader, Operator};

use super::bulk::binary::{Section, push_section, sections};

/// A component without its data segments, and the memory that they make.
pub(super) struct Stripped {
    pub(super) component: Vec<u8>,
    pub(super) memory: Vec<u8>,
    /// Where the first segment begins: what lies before is the stack.
    pub(super) first: usize,
}

const CORE_MODULE: u8 = 1;
const DATA: u8 = 11;
const DATA_COUNT: u8 = 12;
/// More memory than that is not made of segments.
const MOST: usize = 64 << 20;

/// None: it is not such a component.
pub(super) fn stripped(bytes: &[u8]) -> Option<Stripped> {
    let mut component = bytes.get(..8)?.to_vec();
    let (mut memory, mut first) = (Vec::new(), usize::MAX);
    for section in sections(bytes) {
        let Section { id, payload } = section?;
        if id != CORE_MODULE {
            push_section(&mut component, id, payload);
            continue;
        }
        let mut module = payload.get(..8)?.to_vec();
        for section in sections(payload) {
            let Section { id, payload } = section?;
            match id {
                DATA => lay_out(payload, &mut memory, &mut first)?,
                DATA_COUNT => {}
                _ => push_section(&mut module, id, payload),
            }
        }
        push_section(&mut component, CORE_MODULE, &module);
    }
    (first != usize::MAX).then_some(Stripped { component, memory, first })
}

fn lay_out(payload: &[u8], memory: &mut Vec<u8>, first: &mut usize) -> Option<()> {
    for segment in DataSectionReader::new(BinaryReader::new(payload, 0)).ok()? {
        let segment = segment.ok()?;
        let DataKind::Active { memory_index: 0, offset_expr } = segment.kind else { return None };
        let Ok(Operator::I32Const { value }) = offset_expr.get_operators_reader().read() else { return None };
        let at = usize::try_from(value.cast_unsigned()).ok()?;
        let end = at.checked_add(segment.data.len()).filter(|end| *end <= MOST)?;
        if memory.len() < end {
            memory.resize(end, 0);
        }
        memory.get_mut(at..end)?.copy_from_slice(segment.data);
        *first = (*first).min(at);
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_become_memory_and_leave_the_component() {
        let text = r#"(component
            (core module $m (memory 1) (data (i32.const 65500) "later") (data (i32.const 100) "first") (func))
            (core instance (instantiate $m)))"#;
        let component = wat::parse_str(text).unwrap();
        let Stripped { component: without, memory, first } = stripped(&component).unwrap();
        assert_eq!((first, memory.len()), (100, 65505));
        assert_eq!((&memory[100..105], &memory[65500..]), (&b"first"[..], &b"later"[..]));
        assert!(memory[..100].iter().chain(&memory[105..65500]).all(|byte| *byte == 0));
        let bare = r#"(component (core module $m (memory 1) (func)) (core instance (instantiate $m)))"#;
        assert_eq!(without, wat::parse_str(bare).unwrap());
    }

    #[test]
    fn what_would_not_be_the_same_is_refused() {
        for module in [
            "(memory 1) (func)",
            r#"(memory 1) (data "passive")"#,
            r#"(memory 1) (global $g i32 (i32.const 3)) (data (global.get $g) "x")"#,
        ] {
            let component = wat::parse_str(format!("(component (core module {module}))")).unwrap();
            assert!(stripped(&component).is_none(), "{module}");
        }
    }
}
