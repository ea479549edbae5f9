//! Long lists: whole in a stream, or by pages whose keys lead from one to the next.

use axum::body::Body;
use http::Method;
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use tower::ServiceExt as _;
use wasmyard_namespaces::{Component, NamespaceName, ScriptKey, ScriptName, Tag, Upload, UploadDraft};

use crate::common::{Answer, Api, NAMESPACES, SCRIPTS};

/// More than two pages of the registry, and no round number.
const COUNT: usize = 300;
const PLATFORM_SCRIPTS: &str = "/client/v4/accounts/acc1/workers/scripts";

/// So many scripts in `production` and on the platform; every third one is tagged.
async fn api() -> Api {
    let api = Api::new().await;
    api.with_namespace().await;
    let component = Component::new(api.registry.put_component("component".into()).await.unwrap(), 9);
    for n in 0..COUNT {
        let tags = (n % 3 == 0).then(|| vec![Tag::parse("third").unwrap()]);
        let draft = UploadDraft { code: component.clone().into(), tags, ..UploadDraft::default() };
        let script = ScriptName::parse(&format!("s{n:03}")).unwrap();
        let production = NamespaceName::parse("production").unwrap();
        for key in [ScriptKey::user(production, script.clone()), ScriptKey::Platform(script)] {
            api.registry.deploy(&key, Upload::parse(draft.clone()).unwrap()).await.unwrap();
        }
    }
    api
}

fn names(answer: &Answer) -> Vec<String> {
    let rows = answer.result();
    rows.as_array().unwrap().iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect()
}

fn info(answer: &Answer) -> Value {
    answer.json()["result_info"].clone()
}

#[tokio::test]
async fn a_list_comes_whole_in_pieces_and_its_later_pages_are_empty() {
    let api = api().await;
    for path in [SCRIPTS, PLATFORM_SCRIPTS] {
        let request = api.request(Method::GET, path).body(Body::empty()).unwrap();
        let mut body = api.router().oneshot(request).await.unwrap().into_body();
        let (mut pieces, mut whole) = (0, Vec::new());
        while let Some(frame) = body.frame().await {
            pieces += 1;
            whole.extend_from_slice(&frame.unwrap().into_data().unwrap());
        }
        let envelope: Value = serde_json::from_slice(&whole).unwrap();
        assert_eq!(envelope["result"].as_array().unwrap().len(), COUNT, "{path}");
        assert_eq!(envelope["result_info"]["total_count"], COUNT);
        assert!(pieces >= 3, "{pieces} pieces: a page is held, not the list");
        assert_eq!(names(&api.get(&format!("{path}?page=2")).await), Vec::<String>::new());
    }
    // The same shape where there is nothing.
    api.post(NAMESPACES, &json!({"name": "empty"})).await.result();
    let empty = api.get(&SCRIPTS.replace("production", "empty")).await;
    assert_eq!((names(&empty).len(), &info(&empty)["total_count"]), (0, &json!(0)));
    api.get(&SCRIPTS.replace("production", "nowhere")).await.refused(404, 100_119);
}

#[tokio::test]
async fn a_cursor_leads_through_all_pages_once() {
    let api = api().await;
    for (path, more, expected) in
        [(SCRIPTS, "", COUNT), (PLATFORM_SCRIPTS, "", COUNT), (SCRIPTS, "&tags=third:yes", COUNT / 3)]
    {
        let (mut found, mut cursor, mut pages) = (Vec::new(), String::new(), 0);
        loop {
            let page = api.get(&format!("{path}?per_page=30&cursor={cursor}{more}")).await;
            let names = names(&page);
            assert_eq!(info(&page)["count"], names.len());
            found.extend(names);
            pages += 1;
            info(&page)["cursor"].as_str().unwrap().clone_into(&mut cursor);
            if cursor.is_empty() {
                break;
            }
        }
        assert_eq!(found.len(), expected, "{path}{more}");
        assert!(found.is_sorted() && pages >= expected / 30, "{pages}");
        found.dedup();
        assert_eq!(found.len(), expected, "none comes twice");
    }
}

#[tokio::test]
async fn clients_that_count_pages_find_all_of_them() {
    let api = api().await;
    let mut found = Vec::new();
    for page in 1.. {
        let answer = api.get(&format!("{SCRIPTS}?page={page}&per_page=70")).await;
        let totals = info(&answer);
        assert_eq!((&totals["total_count"], &totals["total_pages"]), (&json!(COUNT), &json!(5)));
        let names = names(&answer);
        if names.is_empty() {
            break;
        }
        found.extend(names);
    }
    assert_eq!(found.len(), COUNT);
    for bad in ["page=0", "per_page=0", "per_page=1001", "per_page=x", "per_page=5&cursor=Not%20A%20Name"] {
        api.get(&format!("{SCRIPTS}?{bad}")).await.refused(400, 10004);
    }
}

#[tokio::test]
async fn namespaces_and_routes_have_pages_too() {
    let api = Api::new().await;
    for name in ["a", "b", "c"] {
        api.post(NAMESPACES, &json!({"name": name})).await.result();
        let route = json!({"pattern": format!("{name}.test/*"), "respond": 404});
        api.post("/client/v4/accounts/acc1/workers/routes", &route).await.result();
    }
    for path in [NAMESPACES, "/client/v4/accounts/acc1/workers/routes"] {
        let first = api.get(&format!("{path}?per_page=2")).await;
        assert_eq!((first.result().as_array().unwrap().len(), &info(&first)["total_count"]), (2, &json!(3)));
        let cursor = info(&first)["cursor"].as_str().unwrap().replace('/', "%2F");
        let second = api.get(&format!("{path}?per_page=2&cursor={cursor}")).await;
        assert_eq!((second.result().as_array().unwrap().len(), &info(&second)["cursor"]), (1, &json!("")));
    }
}
