// What workers have on Wasmyard, and nothing else. tsconfig.json:
//   { "compilerOptions": { "target": "es2024", "lib": ["esnext"], "types": ["@wasmyard/types"], "module": "esnext",
//     "moduleResolution": "bundler", "strict": true, "noEmit": true } }

/// <reference path="./events.d.ts" />
/// <reference path="./streams.d.ts" />
/// <reference path="./fetch.d.ts" />
/// <reference path="./cache.d.ts" />
/// <reference path="./url.d.ts" />
/// <reference path="./encoding.d.ts" />
/// <reference path="./crypto.d.ts" />
/// <reference path="./globals.d.ts" />
/// <reference path="./html-rewriter.d.ts" />
/// <reference path="./wasm.d.ts" />
/// <reference path="./platform.d.ts" />
/// <reference path="./workers.d.ts" />
/// <reference path="./node.d.ts" />
