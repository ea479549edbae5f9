//! Cron expressions of a script: set all of them, or have one run at once.

use std::sync::Arc;

use wasmyard_namespaces::cron::{Cron, CronError};
use wasmyard_namespaces::{EventKind, Script, ScriptKey};

use crate::{Control, ControlError, Done, Force, Result, configured};

impl Control {
    /// Replaces all cron expressions of a script. They hold for whichever version serves.
    ///
    /// # Errors
    /// That the script is not there, that an expression breaks a rule, or that the configuration declares them; or the
    /// registry's failure.
    pub async fn set_crons(
        &self,
        key: &ScriptKey,
        texts: &[String],
        force: Force,
    ) -> Result<Done<Arc<Script>>> {
        let before = self.existing(key).await?;
        let crons = texts.iter().map(|text| cron(text)).collect::<Result<Vec<Cron>>>()?;
        let after = self.changing(force).set_crons(key, &crons).await?;
        tracing::info!(script = %key, crons = crons.len(), "cron triggers set");
        let mut remarks = configured::changed_script(&before, &after);
        remarks.extend(unhandled(&after));
        Ok(Done::new(after, remarks))
    }

    /// Has a script run at once for one of its cron expressions. What comes of it is in the records of invocations.
    ///
    /// # Errors
    /// That the script is not there, or has no such expression; or the registry's failure.
    pub async fn run_cron(&self, key: &ScriptKey, text: &str) -> Result<Done<Arc<Script>>> {
        let script = self.existing(key).await?;
        self.registry.run_cron_soon(key, &cron(text)?).await?;
        let remarks = unhandled(&script).into_iter().collect();
        Ok(Done::new(script, remarks))
    }
}

fn cron(text: &str) -> Result<Cron> {
    text.parse().map_err(|error: CronError| ControlError::Invalid(error.to_string()))
}

/// A remark where each tick will fail.
pub(crate) fn unhandled(script: &Script) -> Option<String> {
    let handles = script.version.code.handlers().contains(&EventKind::Scheduled);
    (!script.schedules.is_empty() && !handles).then(|| {
        "the version that serves handles no scheduled events, so each tick fails: export a `scheduled` handler".to_owned()
    })
}
