// Streams.

const name = async (work) => { try { return await work(); } catch (error) { return error?.name ?? error; } };
const all = async (stream) => { const chunks = []; for await (const chunk of stream) chunks.push(chunk); return chunks; };
const of = (...chunks) => new ReadableStream({ start(controller) { for (const chunk of chunks) controller.enqueue(chunk); controller.close(); } });

export default {
  read: async () => { const reader = of(1, 2).getReader(); return [await reader.read(), await reader.read(), await reader.read(), await reader.closed]; },
  iterate: () => all(of("a", "b")),
  from: () => all(ReadableStream.from(["a", Promise.resolve("b")])),
  from_async: () => all(ReadableStream.from((async function* () { yield 1; yield 2; })())),
  locked: async () => { const stream = of(1); const reader = stream.getReader(); const locked = stream.locked; const again = await name(async () => stream.getReader()); reader.releaseLock(); return [locked, again, stream.locked]; },
  cancel: async () => { let why; const stream = new ReadableStream({ cancel(reason) { why = reason; } }); await stream.cancel("enough"); return [why, await all(stream)]; },
  errors: async () => name(() => all(new ReadableStream({ start(controller) { controller.error(new RangeError("broken")); } }))),
  throwing_pull: async () => name(() => all(new ReadableStream({ pull() { throw new RangeError("broken"); } }))),
  tee: async () => { const [one, other] = of(1, 2).tee(); return [await all(one), await all(other)]; },
  pipe_to: async () => { const got = []; await of(1, 2).pipeTo(new WritableStream({ write(chunk) { got.push(chunk); }, close() { got.push("closed"); } })); return got; },
  pipe_through: () => all(of("a", "b").pipeThrough(new TransformStream({ transform(chunk, controller) { controller.enqueue(chunk.toUpperCase()); }, flush(controller) { controller.enqueue("!"); } }))),
  pipe_aborted: async () => name(() => of(1).pipeTo(new WritableStream(), { signal: AbortSignal.abort() })),
  pipe_error: async () => name(() => of(1).pipeTo(new WritableStream({ write() { throw new RangeError("full"); } }))),
  backpressure: async () => { let pulls = 0; const stream = new ReadableStream({ pull(controller) { controller.enqueue(++pulls); } }, { highWaterMark: 3 }); await scheduler.wait(1); return [pulls, (await stream.getReader().read()).value]; },
  writer: async () => { const got = []; const writer = new WritableStream({ write(chunk) { got.push(chunk); } }).getWriter(); await writer.ready; writer.write(1); await writer.write(2); await writer.close(); return [got, await writer.closed, writer.desiredSize]; },
  writer_aborted: async () => { let why; const writer = new WritableStream({ abort(reason) { why = reason; } }).getWriter(); writer.closed.catch(() => {}); await writer.abort("stop"); return [why, await name(() => writer.write(1))]; },
  bytes: async () => { const stream = new ReadableStream({ type: "bytes", pull(controller) { controller.enqueue(new Uint8Array([1, 2, 3, 4])); controller.close(); } }); const reader = stream.getReader({ mode: "byob" }); const one = await reader.read(new Uint8Array(3)); const other = await reader.read(new Uint8Array(3)); return [one.value, one.done, other.value, other.done]; },
  byob_request: async () => { const stream = new ReadableStream({ type: "bytes", pull(controller) { const view = controller.byobRequest.view; view[0] = 7; controller.byobRequest.respond(1); } }); return (await stream.getReader({ mode: "byob" }).read(new Uint8Array(2))).value; },
  byob_of_a_plain_one: async () => name(async () => of(1).getReader({ mode: "byob" }) && "taken"),
  strategies: () => [new CountQueuingStrategy({ highWaterMark: 3 }).size(), new ByteLengthQueuingStrategy({ highWaterMark: 5 }).size(new Uint8Array(2)), new CountQueuingStrategy({ highWaterMark: 3 }).highWaterMark],
  identity: async () => { const { readable, writable } = new IdentityTransformStream(); const writer = writable.getWriter(); writer.write(new Uint8Array([1])); writer.close(); return all(readable); },
  fixed_length: async () => { const { readable, writable } = new FixedLengthStream(2); const writer = writable.getWriter(); writer.write(new Uint8Array([1, 2])); writer.close(); return all(readable); },
  fixed_length_too_much: async () => { const { readable, writable } = new FixedLengthStream(1); readable.getReader().read().catch(() => {}); return name(() => writable.getWriter().write(new Uint8Array([1, 2]))); },
  transform_terminates: () => all(of(1, 2, 3).pipeThrough(new TransformStream({ transform(chunk, controller) { controller.enqueue(chunk); if (chunk === 2) controller.terminate(); } })).pipeThrough(new TransformStream())).catch((error) => error.name),
  tags: () => [new ReadableStream(), new WritableStream(), new TransformStream(), of().getReader(), new WritableStream().getWriter()].map((each) => Object.prototype.toString.call(each)),
  body_is_bytes: async () => { const reader = new Response("abc").body.getReader({ mode: "byob" }); return (await reader.read(new Uint8Array(2))).value; },
  body_twice: async () => { const response = new Response("abc"); await response.text(); return [response.bodyUsed, await name(() => response.text()), response.body.locked]; },
};
