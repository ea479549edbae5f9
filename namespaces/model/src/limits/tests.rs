//! Tests of [`super`].

use proptest::prelude::*;

use super::*;

#[test]
fn the_table_says_what_the_code_does() {
    for row in table().iter().filter(|row| row.scope == LimitScope::Invocation) {
        assert_eq!(Limits::DEFAULT.value(row.name), row.default, "{}", row.name);
        assert_eq!(Limits::CEILING.value(row.name), Some(row.ceiling), "{}", row.name);
    }
    for row in table() {
        assert!(row.min <= row.ceiling, "{}", row.name);
        assert!(row.default.is_none_or(|default| (row.min..=row.ceiling).contains(&default)), "{}", row.name);
        assert!(row.doc.ends_with('.'), "{}", row.name);
    }
}

#[test]
fn every_field_of_a_wish_has_a_row() {
    let full = serde_json::json!({
        "cpu_ms": 1, "fuel": 1, "subrequests": 1, "memory_bytes": 65_536, "first_byte_ms": 1,
        "stream_idle_ms": 100, "depth": 1, "concurrent_subrequests": 1, "log_bytes": 1_024, "event_cpu_ms": 1,
        "event_wall_ms": 1, "storage_bytes": 0, "storage_entries": 0,
    });
    let spec: LimitSpec = serde_json::from_value(full.clone()).unwrap();
    assert_eq!(serde_json::to_value(spec).unwrap(), full);
    assert!(spec.validate(&Limits::CEILING).is_ok());
    for row in table().iter().filter(|row| row.scope == LimitScope::Invocation) {
        assert_eq!(spec.value(row.name), full[row.name].as_u64(), "{}", row.name);
    }
    assert_eq!(
        full.as_object().unwrap().len(),
        table().iter().filter(|r| r.scope == LimitScope::Invocation).count()
    );
}

#[test]
fn other_spellings_are_read() {
    let spec: LimitSpec =
        serde_json::from_str(r#"{"cpuMs": 5, "subRequests": 7, "memory": "64MiB", "logs": "4KiB"}"#).unwrap();
    let read = (spec.cpu_ms, spec.subrequests, spec.memory_bytes, spec.log_bytes);
    assert_eq!(read, (Some(5), Some(7), Some(64 << 20), Some(4 << 10)));
    assert!(serde_json::from_str::<LimitSpec>(r#"{"cpu": 5}"#).is_err());
    assert!(serde_json::from_str::<LimitSpec>(r#"{"cpu_ms": -5}"#).is_err());
}

#[test]
fn a_wish_out_of_range_names_field_value_and_range() {
    let spec = LimitSpec { cpu_ms: Some(30_001), ..LimitSpec::default() };
    let error = spec.validate(&Limits::CEILING).unwrap_err();
    assert_eq!(
        error.to_string(),
        "limit cpu_ms = 30001 ms is outside 1 to 30000; choose a value in that range"
    );
    let zero = LimitSpec { subrequests: Some(0), ..LimitSpec::default() };
    assert_eq!(zero.validate(&Limits::CEILING).unwrap_err().field, "subrequests");
    let lower = Limits { memory_bytes: 1 << 20, ..Limits::CEILING };
    let spec = LimitSpec { memory_bytes: Some(2 << 20), ..LimitSpec::default() };
    assert_eq!(spec.validate(&lower).unwrap_err().max, 1 << 20);
}

#[test]
fn the_tightest_wins_and_a_looser_wish_changes_nothing() {
    let namespace = LimitSpec { cpu_ms: Some(20), subrequests: Some(500), ..LimitSpec::default() };
    let dispatch = LimitSpec { cpu_ms: Some(40), fuel: Some(9), depth: Some(3), ..LimitSpec::default() };
    let limits = Limits::tightest(&Limits::DEFAULT, &[&namespace, &dispatch]);
    let cpu = Duration::from_millis(20);
    let expected = Limits { cpu, event_cpu: cpu, fuel: Some(9), depth: 3, ..Limits::DEFAULT };
    assert_eq!(limits, expected);
}

#[test]
fn an_event_that_is_no_request_has_a_budget_of_its_own() {
    let of = |spec: LimitSpec| Limits::tightest(&Limits::DEFAULT, &[&spec]).for_event();
    let usual = of(LimitSpec::default());
    assert_eq!((usual.cpu, usual.first_byte), (Duration::from_secs(30), Duration::from_secs(900)));
    let less = LimitSpec { cpu_ms: Some(20), ..LimitSpec::default() };
    assert_eq!(of(less).cpu, Duration::from_millis(20), "less CPU is less for all that a script does");
    let both = LimitSpec { cpu_ms: Some(20), event_cpu_ms: Some(5_000), event_wall_ms: Some(60_000), ..less };
    assert_eq!((of(both).cpu, of(both).first_byte), (Duration::from_secs(5), Duration::from_secs(60)));
    // An operator who lets requests have more says nothing of events.
    let platform = Limits::DEFAULT.overridden_by(&LimitSpec { cpu_ms: Some(100), ..LimitSpec::default() });
    assert_eq!(platform.for_event().cpu, Duration::from_secs(30));
}

fn any_spec() -> impl Strategy<Value = LimitSpec> {
    let wish = || proptest::option::of(any::<u64>());
    let small = || proptest::option::of(any::<u32>());
    let (events, storage) = ((wish(), wish()), (wish(), wish()));
    ((wish(), wish(), small(), wish(), wish(), wish(), small(), small(), wish()), events, storage).prop_map(
        |(
            (
                cpu_ms,
                fuel,
                subrequests,
                memory_bytes,
                first_byte_ms,
                stream_idle_ms,
                depth,
                concurrent,
                log_bytes,
            ),
            (event_cpu_ms, event_wall_ms),
            (storage_bytes, storage_entries),
        )| {
            LimitSpec {
                cpu_ms,
                fuel,
                subrequests,
                memory_bytes,
                first_byte_ms,
                stream_idle_ms,
                depth,
                concurrent_subrequests: concurrent,
                log_bytes,
                event_cpu_ms,
                event_wall_ms,
                storage_bytes,
                storage_entries,
            }
        },
    )
}

proptest! {
    #[test]
    fn no_wish_loosens_a_limit(specs in proptest::collection::vec(any_spec(), 0..4)) {
        let wishes: Vec<&LimitSpec> = specs.iter().collect();
        let limits = Limits::tightest(&Limits::DEFAULT, &wishes);
        for row in table().iter().filter(|row| row.scope == LimitScope::Invocation) {
            let wish = |spec: &&LimitSpec| match row.name {
                "event_cpu_ms" => spec.event_cpu_ms.or(spec.cpu_ms),
                name => spec.value(name),
            };
            let all = wishes.iter().map(wish).chain([Limits::DEFAULT.value(row.name)]);
            prop_assert_eq!(limits.value(row.name), all.flatten().min(), "{}", row.name);
        }
    }

    #[test]
    fn the_order_of_wishes_is_of_no_matter(a in any_spec(), b in any_spec()) {
        let one = Limits::tightest(&Limits::DEFAULT, &[&a, &b]);
        prop_assert_eq!(one, Limits::tightest(&Limits::DEFAULT, &[&b, &a]));
    }

    #[test]
    fn json_reads_back(spec in any_spec()) {
        let json = serde_json::to_string(&spec).unwrap();
        prop_assert_eq!(serde_json::from_str::<LimitSpec>(&json).unwrap(), spec);
    }

    #[test]
    fn a_valid_wish_is_within_the_ceiling(spec in any_spec()) {
        if spec.validate(&Limits::CEILING).is_ok() {
            prop_assert_eq!(Limits::tightest(&Limits::CEILING, &[&spec]), Limits::CEILING.overridden_by(&spec));
        }
    }
}

/// The table of `docs/limits.md`, between its markers.
#[test]
fn the_page_lists_every_limit() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/limits.md");
    let page = std::fs::read_to_string(path).unwrap();
    let (before, rest) = page.split_once("<!-- limits -->\n").expect("the page has the opening marker");
    let (_, after) = rest.split_once("<!-- /limits -->").expect("the page has the closing marker");
    let page_now = format!("{before}<!-- limits -->\n{}<!-- /limits -->{after}", page_table());
    if std::env::var_os("WASMYARD_REFRESH").is_some() {
        std::fs::write(path, page_now).unwrap();
        return;
    }
    assert!(page == page_now, "docs/limits.md is out of date: run the tests with WASMYARD_REFRESH=1");
}

fn page_table() -> String {
    let mut text = String::new();
    for (scope, title) in [
        (LimitScope::Invocation, "One invocation"),
        (LimitScope::Server, "The visitors' listener"),
        (LimitScope::Upload, "One upload"),
        (LimitScope::Component, "One component, before and while it is compiled"),
        (LimitScope::Kv, "One KV namespace"),
        (LimitScope::Queue, "One queue"),
        (LimitScope::D1, "One SQL database"),
        (LimitScope::R2, "One bucket of objects"),
        (LimitScope::Cache, "The caches of one script"),
        (LimitScope::Zone, "Zones and custom hostnames"),
        (LimitScope::Event, "One event that is no request"),
    ] {
        text += &format!(
            "\n**{title}**\n\n| limit | default | least | most | what it bounds |\n|---|---|---|---|---|\n"
        );
        for row in table().iter().filter(|row| row.scope == scope) {
            let shown = |value| match (row.unit, value) {
                (_, u64::MAX) => "no bound".to_owned(),
                (Unit::Bytes, value) => ByteSize(value).to_string(),
                (Unit::Milliseconds, value) => format!("{value} ms"),
                (Unit::Fuel | Unit::Count, value) => value.to_string(),
            };
            let default = row.default.map_or_else(|| "none".to_owned(), shown);
            text += &format!(
                "| `{}` | {default} | {} | {} | {} |\n",
                row.name,
                shown(row.min),
                shown(row.ceiling),
                row.doc
            );
        }
    }
    text + "\n"
}
