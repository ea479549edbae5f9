//! Long bulk instructions are cut into pieces before a component is compiled.
//!
//! `memory.fill`, `memory.copy` and `memory.init` are one step for the engine: it looks whether to stop a guest
//! before the step and not in it, and one over 128 MiB takes 60 ms. Here each becomes a call of a function that is
//! added to its module and does the same in pieces of [`PIECE`], with a look between two of them. What a guest sees
//! is the same: an instruction that leaves its memory traps before it has written anything. Data segments that are
//! copied at the start, which the engine does in the same way, become several.
//!
//! Where fuel is counted, the engine is told that bytes of segments cost nothing, because it would charge them at the
//! start as well, where nobody's instruction asks for them ([`crate::code::engine`]). `memory.init` costs what it did:
//! its function copies the bytes once more, onto themselves.
//!
//! Works on bytes and understands only as much as it needs. What it cannot read it leaves as it is: whoever
//! compiles it says what is wrong.

use std::borrow::Cow;

use wasmparser::{BinaryReader, FunctionBody, Operator};

/// Changes with what is done to components: code compiled before such a change is not loaded any more.
pub(crate) const VERSION: u32 = 2;

/// How much is done without a look: half a millisecond, where every page is touched for the first time.
const PIECE: u32 = 1 << 20;

const CORE: [u8; 8] = *b"\0asm\x01\0\0\0";
const COMPONENT: [u8; 8] = *b"\0asm\x0d\0\x01\0";

/// The same component, or core module, with its long bulk instructions cut into pieces. `charged`: for an engine that counts fuel.
pub(crate) fn in_pieces(bytes: &[u8], charged: bool) -> Cow<'_, [u8]> {
    let rewritten = match bytes.first_chunk() {
        Some(&CORE) => module(bytes, charged),
        Some(&COMPONENT) => component(bytes, charged, 0),
        _ => None,
    };
    rewritten.map_or(Cow::Borrowed(bytes), Cow::Owned)
}

/// Components are bounded in depth long before they come here; this bounds the recursion by itself.
const MAX_DEPTH: usize = 64;

/// None: nothing to do.
fn component(bytes: &[u8], charged: bool, depth: usize) -> Option<Vec<u8>> {
    const CORE_MODULE: u8 = 1;
    const NESTED: u8 = 4;
    let mut out = COMPONENT.to_vec();
    let mut changed = false;
    for section in sections(bytes) {
        let section = section?;
        let inner = match (section.id, section.payload.first_chunk()) {
            (CORE_MODULE, Some(&CORE)) => module(section.payload, charged),
            (NESTED, Some(&COMPONENT)) if depth < MAX_DEPTH => component(section.payload, charged, depth + 1),
            _ => None,
        };
        changed |= inner.is_some();
        push_section(&mut out, section.id, inner.as_deref().unwrap_or(section.payload));
    }
    changed.then_some(out)
}

/// The sections of a core module that are changed.
mod core {
    pub(super) const CUSTOM: u8 = 0;
    pub(super) const TYPE: u8 = 1;
    pub(super) const IMPORT: u8 = 2;
    pub(super) const FUNCTION: u8 = 3;
    pub(super) const CODE: u8 = 10;
    pub(super) const DATA: u8 = 11;
    pub(super) const DATA_COUNT: u8 = 12;
}

/// None: nothing to do.
fn module(bytes: &[u8], charged: bool) -> Option<Vec<u8>> {
    let sections: Vec<Section<'_>> = sections(bytes).collect::<Option<_>>()?;
    let code = rewritten_code(&sections, charged);
    let data = payload(&sections, core::DATA).and_then(segments_in_pieces);
    if code.is_none() && data.is_none() {
        return None;
    }
    let mut out = CORE.to_vec();
    for Section { id, payload } in sections {
        match (id, &code, &data) {
            (core::TYPE, Some(code), _) => push_section(&mut out, id, &code.types),
            (core::FUNCTION, Some(code), _) => push_section(&mut out, id, &code.functions),
            (core::CODE, Some(code), _) => push_section(&mut out, id, &code.bodies),
            (core::DATA, _, Some(data)) => push_section(&mut out, id, data),
            // The number of segments, as the section of segments begins with it.
            (core::DATA_COUNT, _, Some(data)) => {
                let mut count = Vec::new();
                push_leb(&mut count, counted(data)?.0);
                push_section(&mut out, id, &count);
            }
            // Hints for places in the code, which are other places now.
            (core::CUSTOM, Some(_), _) if is_about_code(payload) => {}
            _ => push_section(&mut out, id, payload),
        }
    }
    Some(out)
}

fn payload<'a>(sections: &[Section<'a>], id: u8) -> Option<&'a [u8]> {
    sections.iter().find(|section| section.id == id).map(|section| section.payload)
}

/// The sections of a module whose instructions are replaced.
struct Code {
    types: Vec<u8>,
    functions: Vec<u8>,
    bodies: Vec<u8>,
}

/// None: there is nothing to be replaced.
fn rewritten_code(sections: &[Section<'_>], charged: bool) -> Option<Code> {
    let (type_section, function_section) =
        (payload(sections, core::TYPE)?, payload(sections, core::FUNCTION)?);
    let (types, _) = counted(type_section)?;
    let (defined, _) = counted(function_section)?;
    let imported = payload(sections, core::IMPORT).map_or(Some(0), imported_functions)?;
    let first = imported.checked_add(defined)?;
    let segments = payload(sections, core::DATA).map_or(Some(Vec::new()), segment_lengths)?;
    let mut added = Added { first, kinds: Vec::new(), segments, charged };
    let bodies = rewrite_code(payload(sections, core::CODE)?, &mut added)?;
    // (i32, i32, i32) -> ()
    let one = [0x60, 3, I32, I32, I32, 0];
    let mut index = Vec::new();
    push_leb(&mut index, types);
    Some(Code {
        types: appended(type_section, &[one.to_vec()])?,
        functions: appended(function_section, &vec![index; added.kinds.len()])?,
        bodies,
    })
}

/// The functions that are added to a module.
struct Added {
    /// The index of the first.
    first: u32,
    kinds: Vec<Kind>,
    /// Lengths of the data segments.
    segments: Vec<u32>,
    /// Whether copying from a segment is charged by its function.
    charged: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Fill,
    Copy,
    /// From this data segment, which is so long.
    Init {
        segment: u32,
        bytes: u32,
        charged: bool,
    },
}

impl Added {
    /// The function in place of an instruction; none for one that stays.
    fn function(&mut self, operator: &Operator<'_>, before: Option<&Operator<'_>>) -> Option<u32> {
        let kind = match *operator {
            Operator::MemoryFill { mem: 0 } => Kind::Fill,
            Operator::MemoryCopy { dst_mem: 0, src_mem: 0 } => Kind::Copy,
            Operator::MemoryInit { data_index, mem: 0 } => {
                let bytes = *self.segments.get(usize::try_from(data_index).ok()?)?;
                Kind::Init { segment: data_index, bytes, charged: self.charged }
            }
            _ => return None,
        };
        let short = |bytes: u32| bytes <= PIECE;
        let is_short = matches!(before, Some(&Operator::I32Const { value }) if short(value.cast_unsigned()))
            || matches!(kind, Kind::Init { bytes, .. } if short(bytes));
        if is_short && !matches!(kind, Kind::Init { charged: true, .. }) {
            return None;
        }
        let known = self.kinds.iter().position(|other| *other == kind);
        let at = known.unwrap_or_else(|| {
            self.kinds.push(kind);
            self.kinds.len() - 1
        });
        self.first.checked_add(u32::try_from(at).ok()?)
    }
}

/// The code section with its instructions replaced and the new functions at its end. None: there was none.
fn rewrite_code(payload: &[u8], added: &mut Added) -> Option<Vec<u8>> {
    let (count, mut rest) = counted(payload)?;
    let mut bodies = Vec::new();
    for _ in 0..count {
        let (size, after) = leb(rest)?;
        let (body, after) = after.split_at_checked(usize::try_from(size).ok()?)?;
        rest = after;
        push_sized(&mut bodies, &rewrite_body(body, added)?);
    }
    if added.kinds.is_empty() || !rest.is_empty() {
        return None;
    }
    for kind in &added.kinds {
        push_sized(&mut bodies, &kind.body());
    }
    let mut out = Vec::with_capacity(bodies.len() + 8);
    push_leb(&mut out, count.checked_add(u32::try_from(added.kinds.len()).ok()?)?);
    out.extend_from_slice(&bodies);
    Some(out)
}

fn rewrite_body<'a>(body: &'a [u8], added: &mut Added) -> Option<Cow<'a, [u8]>> {
    // All three begin with this byte: most functions have none of them, and need no reading.
    if !body.contains(&BULK) {
        return Some(Cow::Borrowed(body));
    }
    let function = FunctionBody::new(BinaryReader::new(body, 0));
    let mut reader = function.get_operators_reader().ok()?;
    let (mut out, mut copied, mut before) = (Vec::new(), 0, None);
    while !reader.eof() {
        let (operator, from) = reader.read_with_offset().ok()?;
        if let Some(index) = added.function(&operator, before.as_ref()) {
            out.extend_from_slice(body.get(copied..from)?);
            out.push(CALL);
            push_leb(&mut out, index);
            copied = reader.original_position();
        }
        before = Some(operator);
    }
    if copied == 0 {
        return Some(Cow::Borrowed(body));
    }
    out.extend_from_slice(body.get(copied..)?);
    Some(Cow::Owned(out))
}

const I32: u8 = 0x7f;
const CALL: u8 = 0x10;
const BULK: u8 = 0xfc;

impl Kind {
    /// The body of the function: parameters 0 (where to), 1 (where from, or the value) and 2 (how much).
    fn body(self) -> Vec<u8> {
        let mut code = Body(vec![0]);
        // Short ones, and those that leave a memory or segment, are the instruction itself: it traps by itself.
        code.get(2).constant(PIECE).op(LE_U);
        code.leaves(0, None);
        code.op(OR);
        match self {
            Kind::Fill => {}
            Kind::Copy => {
                code.leaves(1, None);
                code.op(OR);
            }
            Kind::Init { bytes, .. } => {
                code.leaves(1, Some(bytes));
                code.op(OR);
            }
        }
        code.op(IF).op(VOID);
        code.get(0).get(1).get(2).instruction(self).charge(self, None).op(RETURN).op(END);
        if self == Kind::Copy {
            // Upwards in memory: the end first, so that nothing is read after it was written over.
            code.get(0).get(1).op(GT_U).op(IF).op(VOID).op(LOOP).op(VOID);
            code.get(2).constant(PIECE).op(SUB).set(2);
            code.get(0).get(2).op(ADD).get(1).get(2).op(ADD).constant(PIECE).instruction(self);
            code.again().op(END);
            code.get(0).get(1).get(2).instruction(self).op(RETURN).op(END);
        }
        code.op(LOOP).op(VOID);
        code.get(0).get(1).constant(PIECE).instruction(self).charge(self, Some(PIECE));
        code.get(0).constant(PIECE).op(ADD).set(0);
        if self != Kind::Fill {
            code.get(1).constant(PIECE).op(ADD).set(1);
        }
        code.get(2).constant(PIECE).op(SUB).set(2);
        code.again().op(END);
        code.get(0).get(1).get(2).instruction(self).charge(self, None).op(END);
        code.0
    }
}

const VOID: u8 = 0x40;
const LOOP: u8 = 0x03;
const IF: u8 = 0x04;
const END: u8 = 0x0b;
const BR_IF: u8 = 0x0d;
const RETURN: u8 = 0x0f;
const LE_U: u8 = 0x4d;
const GT_U: u8 = 0x4b;
const ADD: u8 = 0x6a;
const SUB: u8 = 0x6b;
const OR: u8 = 0x72;

/// A function's body: instructions, one after the other.
struct Body(Vec<u8>);

impl Body {
    fn op(&mut self, byte: u8) -> &mut Self {
        self.0.push(byte);
        self
    }

    fn get(&mut self, local: u8) -> &mut Self {
        self.op(0x20).op(local)
    }

    fn set(&mut self, local: u8) -> &mut Self {
        self.op(0x21).op(local)
    }

    fn constant(&mut self, value: u32) -> &mut Self {
        self.op(0x41);
        push_signed_leb(&mut self.0, i64::from(value.cast_signed()));
        self
    }

    /// Whether what begins at this parameter ends beyond the memory, or beyond so many bytes. In 64 bits, where
    /// nothing overflows.
    fn leaves(&mut self, from: u8, bytes: Option<u32>) {
        const EXTEND_U: u8 = 0xad;
        const ADD_64: u8 = 0x7c;
        const SHL_64: u8 = 0x86;
        const GT_U_64: u8 = 0x56;
        self.get(from).op(EXTEND_U).get(2).op(EXTEND_U).op(ADD_64);
        match bytes {
            None => {
                // memory.size, in pages of 64 KiB
                self.op(0x3f).op(0).op(EXTEND_U).op(0x42).op(16).op(SHL_64);
            }
            Some(bytes) => {
                self.op(0x42);
                push_signed_leb(&mut self.0, i64::from(bytes));
            }
        }
        self.op(GT_U_64);
    }

    /// Back to the loop's beginning, while more than a piece is left.
    fn again(&mut self) -> &mut Self {
        self.get(2).constant(PIECE).op(GT_U).op(BR_IF).op(0)
    }

    /// Copies what was just written onto itself, where that is charged: so much of it, or all.
    fn charge(&mut self, kind: Kind, bytes: Option<u32>) -> &mut Self {
        if !matches!(kind, Kind::Init { charged: true, .. }) {
            return self;
        }
        self.get(0).get(0);
        match bytes {
            Some(bytes) => self.constant(bytes),
            None => self.get(2),
        };
        self.instruction(Kind::Copy)
    }

    fn instruction(&mut self, kind: Kind) -> &mut Self {
        self.op(BULK);
        match kind {
            Kind::Fill => self.op(0x0b).op(0),
            Kind::Copy => self.op(0x0a).op(0).op(0),
            Kind::Init { segment, .. } => {
                self.op(0x08);
                push_leb(&mut self.0, segment);
                self.op(0)
            }
        }
    }
}

pub(super) mod binary;
mod data;
use binary::{
    Section, appended, counted, imported_functions, is_about_code, leb, push_leb, push_section,
    push_signed_leb, push_sized, sections, segment_lengths,
};
use data::segments_in_pieces;

#[cfg(test)]
mod tests;
