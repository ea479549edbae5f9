// wrangler wants a main module in JavaScript. This one passes the component on, and Wasmyard runs that alone.
export { default } from "./target/wasm32-wasip2/release/customer.wasm";
