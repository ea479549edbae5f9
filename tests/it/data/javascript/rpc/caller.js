// Calls of methods of another script: each case gives one answer.

import * as workers from "cloudflare:workers";
import { RpcStub, RpcTarget } from "cloudflare:workers";

const told = (error) => (error instanceof Error ? [error.name, error.message, error.constructor.name, error.remote ?? null, error.code ?? null] : [typeof error, error]);
const failed = async (work) => { try { return ["returned", await work()]; } catch (error) { return told(error); } };
class Target extends RpcTarget {
  #value = 10;
  field = 1;
  increment(by = 1) { return (this.#value += by); }
  get value() { return this.#value; }
}
const bytes = (text) => new TextEncoder().encode(text);

const cases = {
  adds: ({ SVC }) => SVC.add(1, 2),
  no_arguments: ({ SVC }) => SVC.count(),
  many_arguments: ({ SVC }) => SVC.count(1, undefined, null, "a"),
  nothing: async ({ SVC }) => (await SVC.nothing()) === undefined,
  fetch_is_fetch: async ({ SVC }) => (await SVC.fetch("http://a.test/path", { method: "POST", body: "b" })).text(),
  property: async ({ SVC }) => await SVC.property,
  nested_property: async ({ SVC }) => await SVC.property.a,
  nested_method: async ({ SVC }) => await SVC.nested.inner.method(4),
  nested_value: async ({ SVC }) => await SVC.nested.inner.value,
  environment: ({ SVC }) => SVC.variable(),
  context: ({ SVC }) => SVC.context(),
  methods_call_methods: ({ SVC }) => SVC.self(),
  kinds_of_things: ({ SVC }) => [typeof SVC, typeof SVC.add, typeof SVC.missing, typeof SVC.add(1, 2), SVC.then === undefined, typeof SVC.add.then, SVC.add(1, 2) instanceof Promise, typeof SVC.fetch],
  promise_has: ({ SVC }) => { const called = SVC.add(1, 2); return [typeof called.then, typeof called.catch, typeof called.finally, typeof called.anything]; },
  then: ({ SVC }) => SVC.add(2, 2).then((sum) => sum + 1),
  catch: ({ SVC }) => SVC.throws("type").catch((error) => error.name),
  finally: async ({ SVC }) => { let ran = false; await SVC.add(1, 1).finally(() => { ran = true; }); return ran; },
  two_at_once: ({ SVC }) => Promise.all([SVC.add(1, 1), SVC.add(2, 2)]),

  missing: ({ SVC }) => failed(() => SVC.missing()),
  missing_property: ({ SVC }) => failed(async () => await SVC.missing),
  own_field: ({ SVC }) => failed(() => SVC.own()),
  constructor_: ({ SVC }) => failed(() => SVC["constructor"]()),
  of_object: ({ SVC }) => failed(() => SVC["hasOwnProperty"]("a")),
  to_string: ({ SVC }) => typeof SVC.toString(),
  proto: ({ SVC }) => failed(() => SVC["__proto__"] === Object.getPrototypeOf(SVC)),
  connect: ({ SVC }) => failed(() => SVC.dup()),
  alarm: ({ SVC }) => failed(() => SVC.alarm()),
  websocket: ({ SVC }) => failed(() => SVC.webSocketMessage()),
  not_a_function: ({ SVC }) => failed(() => SVC.property()),
  property_of_nothing: ({ SVC }) => failed(async () => await SVC.property.missing),
  deep_property_of_nothing: ({ SVC }) => failed(async () => await SVC.property.missing.more),

  throws_error: ({ SVC }) => failed(() => SVC.throws()),
  throws_type: ({ SVC }) => failed(() => SVC.throws("type")),
  throws_range: ({ SVC }) => failed(() => SVC.throws("range")),
  throws_own: ({ SVC }) => failed(() => SVC.throws("own")),
  throws_dom: ({ SVC }) => failed(() => SVC.throws("dom")),
  throws_text: ({ SVC }) => failed(() => SVC.throws("text")),
  throws_object: ({ SVC }) => failed(() => SVC.throws("object")),
  throws_undefined: ({ SVC }) => failed(() => SVC.throws("undefined")),
  rejects: ({ SVC }) => failed(() => SVC.rejects()),

  values: async ({ SVC }) => {
    const sent = [1, "a", true, null, undefined, NaN, Infinity, -0, 5n, new Date(5), /a/gi, new Map([[1, new Set([2])]]), new Uint8Array([1, 2]), new ArrayBuffer(3), [[]], { a: { b: [] } }];
    const back = await SVC.echo(sent);
    return back.map((each, at) => [Object.prototype.toString.call(each), typeof each === "object" || Object.is(each, sent[at])]);
  },
  cycles: async ({ SVC }) => { const a = { list: [] }; a.self = a; a.list.push(a); const b = await SVC.echo(a); return [b !== a, b.self === b, b.list[0] === b]; },
  shared: async ({ SVC }) => { const x = {}; const [a, b] = await SVC.echo([x, x]); return a === b; },
  views: async ({ SVC }) => { const buffer = new Uint8Array([1, 2, 3, 4]).buffer; const [a, b] = await SVC.echo([new Uint8Array(buffer, 1, 2), new DataView(buffer)]); return [[...a], a.byteOffset, a.buffer === b.buffer]; },
  large: async ({ SVC }) => { const text = "x".repeat(1 << 20); return (await SVC.echo(text)) === text; },
  surrogates: async ({ SVC }) => (await SVC.echo("\ud800a")).length,
  special_keys: async ({ SVC }) => { const back = await SVC.echo(JSON.parse('{"__proto__": {"x": 1}, "constructor": 2, "then": 3, "toJSON": 4}')); return [Object.keys(back), back.x ?? null]; },
  errors_as_values: async ({ SVC }) => { const back = await SVC.echo(new RangeError("as a value", { cause: 5 })); return [back instanceof RangeError, back.message, back.cause ?? null]; },
  headers: ({ SVC }) => SVC.headers(new Headers({ "x-a": "b" })),
  symbol: ({ SVC }) => failed(() => SVC.symbol()),
  class_instance: ({ SVC }) => failed(() => SVC.plain()),
  class_instance_inside: ({ SVC }) => failed(() => SVC.wrongClass()),
  class_instance_sent: ({ SVC }) => failed(() => { class Foo { a = 1; } return SVC.echo(new Foo()); }),
  symbol_sent: ({ SVC }) => failed(() => SVC.echo(Symbol("a"))),
  url_sent: ({ SVC }) => failed(() => SVC.echo(new URL("http://a.test/"))),
  promise_sent: ({ SVC }) => failed(() => SVC.echo(Promise.resolve(5))),
  too_large: ({ SVC }) => failed(() => SVC.count("x".repeat(33 << 20))),

  returned_target: async ({ SVC }) => { const counter = await SVC.counter(5); return [await counter.increment(), await counter.increment(2), await counter.value]; },
  target_in_an_object: async ({ SVC }) => { const { one, two } = await SVC.counters(); return [await one.increment(), await two.increment()]; },
  pipelined: ({ SVC }) => SVC.counter(1).increment(4),
  pipelined_property: async ({ SVC }) => await SVC.counter(3).value,
  pipelined_into_object: ({ SVC }) => SVC.counters().two.increment(5),
  target_own_field: async ({ SVC }) => { const counter = await SVC.counter(); return failed(async () => await counter.own); },
  target_private: async ({ SVC }) => { const counter = await SVC.counter(); return [await counter.uses(), await failed(() => counter["#secret"]())]; },
  target_constructor: async ({ SVC }) => { const counter = await SVC.counter(); return failed(() => counter["constructor"]("return 1")); },
  returned_function: async ({ SVC }) => { const double = await SVC.double(); return [typeof double, await double(4)]; },
  stub_kinds: async ({ SVC }) => { const counter = await SVC.counter(); return [typeof counter, counter instanceof RpcStub, typeof counter.dup, typeof counter[Symbol.dispose], counter.then === undefined]; },
  callback: ({ SVC }) => SVC.calls((value) => value + "!", "hi"),
  callback_throws: ({ SVC }) => failed(() => SVC.calls(() => { throw new RangeError("in the callback"); })),
  callback_async: ({ SVC }) => SVC.calls(async (value) => { await scheduler.wait(2); return value; }, "slow"),
  callbacks_in_turn: async ({ SVC }) => { const seen = []; const counter = await SVC.counter(); const end = await counter.each((at) => { seen.push(at); }); return [end, seen]; },
  sent_target: ({ SVC }) => SVC.usesTarget(new Target()),
  stub_as_parameter: ({ SVC }) => SVC.kindOfStub(new Target()),
  function_in_object: async ({ SVC }) => { const back = await SVC.echo({ f: () => 5 }); return [typeof back.f, await back.f()]; },
  parameter_returned: async ({ SVC }) => { const stub = await SVC.returnsParameter(new Target()); return await stub.increment(); },
  parameter_kept: ({ SVC }) => { return new Promise((resolve) => { SVC.dups((text) => { resolve(text); return text; }).catch(resolve); }); },
  disposed: async ({ SVC }) => { const counter = await SVC.counter(); counter[Symbol.dispose](); return failed(() => counter.increment()); },
  dup: async ({ SVC }) => { const counter = await SVC.counter(); const other = counter.dup(); counter[Symbol.dispose](); return await other.increment(); },
  stub_to_another: async ({ SVC }) => { const counter = await SVC.counter(7); return SVC.usesTarget(counter); },
  service_as_parameter: ({ SVC }) => failed(() => SVC.calls(SVC, "x")),
  made_stub: async () => { const stub = new RpcStub(new Target()); return [typeof stub, await stub.increment(), await failed(async () => await stub.field)]; },
  result_can_be_disposed: async ({ SVC }) => { const list = await SVC.counters(); return typeof list[Symbol.dispose]; },

  stream_returned: async ({ SVC }) => new Response(await SVC.stream()).text(),
  stream_sent: ({ SVC }) => SVC.reads(new Response("sent stream").body),
  writable_sent: async ({ SVC }) => { const { readable, writable } = new IdentityTransformStream(); const [closed, text] = await Promise.all([SVC.writes(writable), new Response(readable).text()]); return [closed, text]; },
  response_returned: async ({ SVC }) => { const response = await SVC.response(); return [response instanceof Response, response.status, response.headers.get("x-a"), await response.text()]; },
  request_sent: ({ SVC }) => SVC.asks(new Request("http://a.test/x?y", { method: "PUT", headers: { "x-a": "b" }, body: "body" })),
  bytes_sent: ({ SVC }) => SVC.reads(new Response(bytes("abc")).body),

  named: ({ NAMED }) => NAMED.name(),
  named_fetch: async ({ NAMED }) => (await NAMED.fetch("http://a.test/")).text(),
  named_has_no_more: ({ NAMED }) => failed(() => NAMED.add(1, 2)),
  props: ({ PROPS }) => PROPS.context(),
  objects: async ({ OBJECTS }) => [await failed(() => OBJECTS.one(5)), await failed(() => OBJECTS.two(1, 2)), await failed(() => OBJECTS.none()), await failed(() => OBJECTS.missing())],
  exports_of_workers: () => Object.keys(workers).filter((name) => !["abortIsolate", "exports", "cache", "tracing", "withEnv", "withExports", "DurableObject", "WorkflowEntrypoint", "ServiceStub"].includes(name)).sort(),
  env_of_workers: () => typeof workers.env.SVC,
  wait_until_of_workers: () => workers.waitUntil(Promise.resolve()) === undefined,
};

export default {
  async fetch(request, env, ctx) {
    const name = new URL(request.url).pathname.slice(1);
    if (name === "") return Response.json(Object.keys(cases));
    try {
      return Response.json((await cases[name](env, ctx)) ?? null);
    } catch (error) {
      return Response.json({ thrown: told(error) });
    }
  },
};
