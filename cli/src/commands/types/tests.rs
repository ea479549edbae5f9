use super::*;
use crate::args::ApiArgs;
use crate::output::tests::captured;

const CONFIG: &str = r#"
[scripts.front]
main = "front.js"
vars = { GREETING = "hello", RETRIES = 3, THEME = { dark = true, colors = ["red", 1], "odd-name" = "x" } }
bindings = [
  { type = "dispatch_namespace", name = "DISPATCHER", namespace = "production", outbound = { worker = { service = "out" }, params = [{ name = "customer" }] } },
  { type = "service", name = "BACK", service = "out" },
  { type = "secret_text", name = "KEY", text = "s3cret" },
]
[[scripts.front.kv_namespaces]]
binding = "KV"
title = "names"

[scripts.out]
main = "out.js"

[scripts.compiled]
main = "compiled.wasm"

[namespaces.production.scripts.shop-1]
main = "shop.mjs"
[namespaces.staging.scripts.shop-1]
main = "shop.mjs"
"#;

struct Project(tempfile::TempDir);

impl Project {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("wasmyard.toml"), CONFIG).unwrap();
        Self(folder)
    }

    fn args(&self, name: Option<&str>) -> TypesArgs {
        TypesArgs {
            file: self.0.path().join("worker-configuration.d.ts"),
            name: name.map(str::to_owned),
            namespace: None,
            env_only: true,
            secrets: false,
            config: Some(self.0.path().join("wasmyard.toml")),
            api: ApiArgs::default(),
        }
    }

    async fn written(&self, args: TypesArgs) -> Result<String, Failure> {
        run(&args, &captured().0).await?;
        Ok(std::fs::read_to_string(&args.file).unwrap())
    }
}

#[tokio::test]
async fn an_environment_has_the_type_of_each_binding_and_no_value() {
    let project = Project::new();
    let written = project.written(project.args(Some("front"))).await.unwrap();
    let expected = r#"
interface Env {
  BACK: Service;
  DISPATCHER: DispatchNamespace;
  GREETING: string;
  KEY: string;
  KV: KVNamespace;
  RETRIES: number;
  THEME: { colors: (number | string)[]; dark: boolean; "odd-name": string };
}
"#;
    assert_eq!(written, format!("{MADE}{expected}"));
    let outbound = project.written(project.args(Some("out"))).await.unwrap();
    assert!(outbound.ends_with("interface Env {\n  customer?: any;\n}\n"), "{outbound}");
}

#[tokio::test]
async fn each_of_several_scripts_has_a_name_of_its_own_and_components_have_none() {
    let project = Project::new();
    let written = project.written(project.args(None)).await.unwrap();
    let names: Vec<&str> = written.lines().filter_map(|line| line.strip_prefix("interface ")).collect();
    assert_eq!(names, ["FrontEnv {", "OutEnv {", "ProductionShop1Env {", "StagingShop1Env {"]);
    let missing = project.written(project.args(Some("compiled"))).await.unwrap_err();
    assert!(missing.to_string().contains("no script in JavaScript called compiled"), "{missing}");
}

#[tokio::test]
async fn a_file_of_somebody_elses_stays_and_an_own_one_is_replaced() {
    let project = Project::new();
    let args = |name| project.args(Some(name));
    project.written(args("front")).await.unwrap();
    let whole = project.written(TypesArgs { env_only: false, ..args("out") }).await.unwrap();
    assert!(
        whole.contains("interface DispatchNamespace {") && whole.contains("declare class Request"),
        "{whole}"
    );
    assert!(!whole.contains("/// <reference"), "it stands by itself");
    std::fs::write(args("out").file, "// mine\n").unwrap();
    let refused = project.written(args("out")).await.unwrap_err();
    assert!(refused.to_string().contains("not made by this command"), "{refused}");
}
