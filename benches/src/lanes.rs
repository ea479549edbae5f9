//! What can be loaded: each lane is one thing to ask of one server. Servers are started when a row needs one
//! of their lanes, and paused whenever another is measured.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use crate::Error;
use crate::guest;
use crate::load::Aim;
use crate::process::Process;
use crate::servers::wasmyard::{Budget, Site};
use crate::servers::{hyper, javascript, wasmtime, workerd};

/// One thing to ask of one server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lane {
    /// hyper alone, on a runtime of one thread.
    Hyper,
    /// hyper alone, on a runtime that could have many threads and has one.
    HyperThreads,
    /// `wasmtime serve` with a hello of `wasi:http` alone: what the SDK makes needs the platform.
    Wasmtime,
    /// `wasmtime serve` with the JavaScript component.
    WasmtimeJs,
    /// workerd, one worker.
    Workerd,
    /// workerd, a worker that calls another.
    WorkerdTwo,
    /// workerd, three workers.
    WorkerdThree,
    /// A route that names the namespace: the user script answers.
    One,
    /// The same with the very component that `wasmtime serve` is given.
    OnePlain,
    /// A dispatcher that calls the user script.
    Two,
    /// A dispatcher that leaves the request to the user script.
    TwoTail,
    /// A dispatcher, a user script that fetches, an outbound worker that answers.
    Three,
    /// A dispatcher whose instances are used again.
    TwoReused,
    /// The same, leaving the request to the user script.
    TailReused,
    /// Many user scripts, one after the other, through the dispatcher.
    Rotation,
    /// The JavaScript component, alone.
    OneJs,
    /// The JavaScript component behind the dispatcher.
    TwoJs,
    /// A user script written in JavaScript, which the platform's own engine runs.
    OneScript,
    /// The same behind a dispatcher that is written in JavaScript.
    TwoScripts,
    /// The same with a dispatcher whose instances are used again.
    TwoScriptsReused,
    /// As `One`, with nothing logged.
    OneQuiet,
    /// As `Two`, with nothing logged.
    TwoQuiet,
}

impl fmt::Display for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Lane::Hyper => "bare hyper",
            Lane::HyperThreads => "bare hyper, scheduler of many threads",
            Lane::Wasmtime => "wasmtime serve: plain hello",
            Lane::WasmtimeJs => "wasmtime serve: JS hello",
            Lane::Workerd => "workerd: JS hello",
            Lane::WorkerdTwo => "workerd: dispatcher -> JS hello",
            Lane::WorkerdThree => "workerd: dispatcher -> user -> globalOutbound",
            Lane::One => "route -> user script",
            Lane::OnePlain => "route -> plain user script",
            Lane::Two => "dispatcher -> user",
            Lane::TwoTail => "dispatcher (tail) -> user",
            Lane::Three => "dispatcher -> user -> outbound",
            Lane::TwoReused => "dispatcher reused -> user",
            Lane::TailReused => "dispatcher (tail) reused -> user",
            Lane::Rotation => "dispatcher -> many users in rotation",
            Lane::OneJs => "route -> JS user script",
            Lane::TwoJs => "dispatcher -> JS user script",
            Lane::OneScript => "route -> user in JavaScript",
            Lane::TwoScripts => "dispatcher -> user, both in JavaScript",
            Lane::TwoScriptsReused => "dispatcher reused -> user, both in JavaScript",
            Lane::OneQuiet => "route -> user script, logs off",
            Lane::TwoQuiet => "dispatcher -> user, logs off",
        })
    }
}

/// A lane whose server runs.
#[derive(Clone)]
pub struct Open {
    /// What is asked.
    pub aim: Aim,
    /// Who is asked.
    pub process: Arc<Process>,
}

/// Every lane that was asked for: open, or why not and what to do.
pub struct Lanes {
    open: BTreeMap<Lane, Result<Open, String>>,
}

/// The guest that runs on any host of `wasi:http`.
const PLAIN: &str = "bench_plain";

/// How many scripts are in rotation.
pub const MANY: usize = 900;

impl Lanes {
    /// Starts the servers of these lanes, and checks that each answers.
    ///
    /// # Errors
    /// When a server that is there does not start, or does not answer as it should. A peer that is not
    /// installed is no error: its lanes say so.
    pub fn open(wanted: &[Lane], many: usize) -> Result<Lanes, Error> {
        let mut lanes = Lanes { open: BTreeMap::new() };
        let any = |of: &[Lane]| of.iter().any(|lane| wanted.contains(lane));
        if any(&[Lane::Hyper]) {
            lanes.add(hyper::start(hyper::ONE_THREAD)?, |aim| vec![(Lane::Hyper, aim)]);
        }
        if any(&[Lane::HyperThreads]) {
            lanes.add(hyper::start(hyper::MANY_THREADS)?, |aim| vec![(Lane::HyperThreads, aim)]);
        }
        lanes.wasmyard(wanted, many)?;
        if any(&[Lane::OneQuiet, Lane::TwoQuiet]) {
            let platform = Site::new("site-quiet", Budget::AsShipped)?.without_logs().serve()?;
            let aims = (platform.aim("customer-a.apps.localhost"), platform.aim("customer-a.localhost"));
            lanes.add((platform.process, aims), |(one, two)| {
                vec![(Lane::OneQuiet, one), (Lane::TwoQuiet, two)]
            });
        }
        if any(&[Lane::Wasmtime, Lane::WasmtimeJs]) {
            lanes.wasmtime()?;
        }
        if any(&[Lane::Workerd, Lane::WorkerdTwo, Lane::WorkerdThree]) {
            match workerd::find() {
                Some(program) => lanes.add(workerd::start(&program)?, |chains| {
                    vec![
                        (Lane::Workerd, chains.one),
                        (Lane::WorkerdTwo, chains.two),
                        (Lane::WorkerdThree, chains.three),
                    ]
                }),
                None => lanes.missing(
                    &[Lane::Workerd, Lane::WorkerdTwo, Lane::WorkerdThree],
                    &format!("workerd is not installed: {}", workerd::REMEDY),
                ),
            }
        }
        lanes.open.retain(|lane, _| wanted.contains(lane));
        lanes.check()?;
        Ok(lanes)
    }

    /// The platform as it is shipped, with everything that rows ask of it.
    fn wasmyard(&mut self, wanted: &[Lane], many: usize) -> Result<(), Error> {
        let any = |of: &[Lane]| of.iter().any(|lane| wanted.contains(lane));
        let ours = [
            Lane::One,
            Lane::OnePlain,
            Lane::Two,
            Lane::TwoTail,
            Lane::Three,
            Lane::TwoReused,
            Lane::TailReused,
            Lane::Rotation,
            Lane::OneJs,
            Lane::TwoJs,
            Lane::OneScript,
            Lane::TwoScripts,
            Lane::TwoScriptsReused,
        ];
        if !any(&ours) {
            return Ok(());
        }
        let mut site = Site::new("site", Budget::AsShipped)?;
        if any(&[Lane::Rotation]) {
            site.many_customers(many)?;
        }
        let javascript = javascript::find()?;
        if let (Some(component), true) = (&javascript, any(&[Lane::OneJs, Lane::TwoJs])) {
            site.customer("js", component)?;
        } else {
            self.missing(
                &[Lane::OneJs, Lane::TwoJs],
                &format!("there is no JavaScript component: {}", javascript::REMEDY),
            );
        }
        if any(&[Lane::OneScript, Lane::TwoScripts, Lane::TwoScriptsReused]) {
            site.in_javascript()?;
        }
        if any(&[Lane::OnePlain]) {
            site.customer("plain", &guest(PLAIN)?)?;
        }
        if any(&[Lane::Three]) {
            site.guarded()?;
        }
        let platform = site.serve()?;
        let mut aims = vec![
            (Lane::One, platform.aim("customer-a.apps.localhost")),
            (Lane::OnePlain, platform.aim("plain.apps.localhost")),
            (Lane::Two, platform.aim("customer-a.localhost")),
            (Lane::TwoTail, platform.aim("customer-a.tail.localhost")),
            (Lane::TwoReused, platform.aim("customer-a.reused.localhost")),
            (Lane::TailReused, platform.aim("customer-a.tail-reused.localhost")),
            (Lane::Three, platform.aim("caller.guarded.localhost")),
            (Lane::Rotation, platform.rotation(many)),
            (Lane::OneScript, platform.aim("script.apps.localhost")),
            (Lane::TwoScripts, platform.aim("script.scripts.localhost")),
            (Lane::TwoScriptsReused, platform.aim("script.scripts-reused.localhost")),
        ];
        aims.retain(|(lane, _)| wanted.contains(lane));
        if let Some(at) = aims.iter().position(|(lane, _)| *lane == Lane::Three)
            && let Err(error) = aims.get(at).map_or(Ok(()), |(_, aim)| aim.check())
        {
            aims.remove(at);
            self.missing(&[Lane::Three], &format!("the outbound worker does not answer: {error}"));
        }
        if javascript.is_some() {
            aims.push((Lane::OneJs, platform.aim("js.apps.localhost")));
            aims.push((Lane::TwoJs, platform.aim("js.localhost")));
        }
        self.add((platform.process, aims), |aims| aims);
        Ok(())
    }

    fn wasmtime(&mut self) -> Result<(), Error> {
        let Some(program) = wasmtime::find() else {
            self.missing(
                &[Lane::Wasmtime, Lane::WasmtimeJs],
                &format!("wasmtime is not installed: {}", wasmtime::REMEDY),
            );
            return Ok(());
        };
        self.add(wasmtime::start(&program, &guest(PLAIN)?)?, |aim| vec![(Lane::Wasmtime, aim)]);
        match javascript::find()? {
            Some(component) => {
                self.add(wasmtime::start(&program, &component)?, |aim| vec![(Lane::WasmtimeJs, aim)])
            }
            None => self.missing(
                &[Lane::WasmtimeJs],
                &format!("there is no JavaScript component: {}", javascript::REMEDY),
            ),
        }
        Ok(())
    }

    fn add<T>(&mut self, (process, aims): (Process, T), lanes: impl FnOnce(T) -> Vec<(Lane, Aim)>) {
        let process = Arc::new(process);
        for (lane, aim) in lanes(aims) {
            self.open.insert(lane, Ok(Open { aim, process: Arc::clone(&process) }));
        }
    }

    fn missing(&mut self, lanes: &[Lane], why: &str) {
        for lane in lanes {
            self.open.insert(*lane, Err(why.to_owned()));
        }
    }

    fn check(&self) -> Result<(), Error> {
        for (lane, open) in self.each() {
            open.aim.check().map_err(|error| format!("{lane}: {error}"))?;
        }
        self.pause_all();
        Ok(())
    }

    /// A lane, or why it is not there.
    ///
    /// # Errors
    /// What is missing, with the command to get it.
    pub fn get(&self, lane: Lane) -> Result<&Open, String> {
        match self.open.get(&lane) {
            Some(Ok(open)) => Ok(open),
            Some(Err(why)) => Err(why.clone()),
            None => Err("it was not asked for".to_owned()),
        }
    }

    /// The lanes that are open.
    pub fn each(&self) -> impl Iterator<Item = (Lane, &Open)> {
        self.open.iter().filter_map(|(lane, open)| Some((*lane, open.as_ref().ok()?)))
    }

    /// What is missing, and what to do about it.
    pub fn absent(&self) -> impl Iterator<Item = (Lane, &str)> {
        self.open.iter().filter_map(|(lane, open)| Some((*lane, open.as_ref().err()?.as_str())))
    }

    fn pause_all(&self) {
        for (_, open) in self.each() {
            open.process.pause();
        }
    }
}

impl Open {
    /// Lets the server run while something is measured, and nothing else of the bench.
    ///
    /// # Errors
    /// What the measurement says.
    pub fn alone<T>(&self, measure: impl FnOnce(&Aim) -> Result<T, Error>) -> Result<T, Error> {
        self.process.resume();
        let result = measure(&self.aim);
        self.process.pause();
        result
    }
}
