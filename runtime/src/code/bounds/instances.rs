//! How many instances a component makes in all, when what it instantiates is unfolded: a chain of a few small
//! components, each of which instantiates the one before it twice, makes millions.

use wasmparser::{ComponentAlias, ComponentExternalKind, ComponentInstance, ComponentOuterAliasKind};

use super::{CORE_INSTANCES, INSTANCES, add};
use crate::code::module::ModuleError;

/// What one instance of a component brings along, itself not counted.
#[derive(Debug, Clone, Copy, Default)]
struct Weight {
    core: u64,
    instances: u64,
}

/// A module or component that is being read.
#[derive(Default)]
struct Frame {
    is_component: bool,
    /// The components that can be named here, by index. None: what it is comes from elsewhere.
    components: Vec<Option<Weight>>,
    made: Weight,
}

/// The frames that are open, outermost first.
pub(super) struct Instances {
    frames: Vec<Frame>,
}

impl Default for Instances {
    fn default() -> Self {
        Self { frames: vec![Frame { is_component: true, ..Frame::default() }] }
    }
}

impl Instances {
    /// A nested module or component begins.
    pub(super) fn open(&mut self, is_component: bool) {
        self.frames.push(Frame { is_component, ..Frame::default() });
    }

    /// The innermost one ends; if it was a component, it can be named from now on.
    pub(super) fn close(&mut self) {
        if let Some(closed) = self.frames.pop()
            && closed.is_component
        {
            self.define(Some(closed.made));
        }
    }

    fn define(&mut self, component: Option<Weight>) {
        if let Some(frame) = self.frames.last_mut() {
            frame.components.push(component);
        }
    }

    /// One core module is instantiated.
    pub(super) fn core(&mut self) -> Result<(), ModuleError> {
        self.frames.last_mut().map_or(Ok(()), |frame| add(&mut frame.made.core, 1, &CORE_INSTANCES))
    }

    pub(super) fn instance(&mut self, instance: &ComponentInstance<'_>) -> Result<(), ModuleError> {
        let (ComponentInstance::Instantiate { component_index, .. }, Some(frame)) =
            (instance, self.frames.last_mut())
        else {
            // The other kind names things that exist already.
            return Ok(());
        };
        let index = usize::try_from(*component_index).unwrap_or(usize::MAX);
        let weight = match frame.components.get(index) {
            Some(Some(weight)) => *weight,
            Some(None) => {
                return Err(ModuleError::Bound(
                    "the component instantiates a component that it was given or took from an instance, so that its instances cannot be counted (instances). Instantiate what it holds itself"
                        .to_owned(),
                ));
            }
            // No such component: the validator says so.
            None => Weight::default(),
        };
        add(&mut frame.made.instances, weight.instances.saturating_add(1), &INSTANCES)?;
        add(&mut frame.made.core, weight.core, &CORE_INSTANCES)
    }

    pub(super) fn alias(&mut self, alias: &ComponentAlias<'_>) {
        match alias {
            ComponentAlias::Outer { kind: ComponentOuterAliasKind::Component, count, index } => {
                let named = usize::try_from(*count)
                    .ok()
                    .and_then(|count| self.frames.len().checked_sub(1)?.checked_sub(count))
                    .and_then(|frame| self.frames.get(frame)?.components.get(usize::try_from(*index).ok()?))
                    .copied()
                    .flatten();
                self.define(named);
            }
            ComponentAlias::InstanceExport { kind: ComponentExternalKind::Component, .. } => {
                self.define(None)
            }
            _ => {}
        }
    }

    /// A component is imported.
    pub(super) fn import(&mut self) {
        self.define(None);
    }

    /// A component is exported, which gives it one more index.
    pub(super) fn export(&mut self, index: u32) {
        let index = usize::try_from(index).unwrap_or(usize::MAX);
        let named = self.frames.last().and_then(|frame| frame.components.get(index)).copied().flatten();
        self.define(named);
    }
}
