// Blob, File, FormData.

const name = (work) => { try { return work(); } catch (error) { return error.name; } };
const asyncName = async (work) => { try { return await work(); } catch (error) { return error.name; } };

export default {
  parts: async () => new Blob(["a", new Uint8Array([98]), new Uint8Array([99]).buffer, new Blob(["d"]), 5, null, { toString: () => "o" }]).text(),
  size_and_type: () => [new Blob(["é"]).size, new Blob([], { type: "Text/Plain" }).type, new Blob([], { type: "a\u00ff" }).type, new Blob().size, new Blob([]).type],
  no_parts: () => [name(() => new Blob("text").size), name(() => new Blob(5).size), name(() => new Blob({}).size), name(() => new Blob(null).size), name(() => new Blob(undefined).size)],
  slices: async () => Promise.all([[0, 2], [1], [-2], [1, -1], [3, 1], [10], [0, 100], []].map((each) => new Blob(["abcde"]).slice(...each).text())),
  slice_type: () => [new Blob(["a"], { type: "x/y" }).slice(0, 1).type, new Blob(["a"]).slice(0, 1, "A/B").type],
  stream: async () => { const all = []; for await (const chunk of new Blob(["ab", "c"]).stream()) all.push(...chunk); return all; },
  stream_byob: async () => { const reader = new Blob(["abc"]).stream().getReader({ mode: "byob" }); const { value, done } = await reader.read(new Uint8Array(2)); return [value, done]; },
  array_buffer: async () => [await new Blob(["ab"]).arrayBuffer(), await new Blob(["ab"]).bytes()],
  text_is_utf8: async () => [await new Blob([new Uint8Array([0xff, 0x41])]).text(), (await new Blob([new Uint8Array([0xef, 0xbb, 0xbf, 0x41])]).text()).length],
  endings: async () => new Blob(["a\r\nb\n"], { endings: "native" }).size,
  lone_surrogates: async () => new Blob(["\ud800"]).arrayBuffer(),
  file: async () => { const file = new File(["abc"], "n.txt", { type: "text/plain", lastModified: 5 }); return [file.name, file.type, file.lastModified, file.size, file instanceof Blob, await file.text()]; },
  file_now: () => Math.abs(new File([], "a").lastModified - Date.now()) < 60000,
  file_without_name: () => name(() => new File([]).name),
  tags: () => [new Blob(), new File([], "a"), new FormData()].map((each) => Object.prototype.toString.call(each)),
  json: () => JSON.stringify([new Blob(["a"]), new File([], "a")]),

  form: () => { const form = new FormData(); form.append("a", "1"); form.append("b", 2); form.append("a", "3"); return [[...form], form.get("a"), form.getAll("a"), form.has("b"), form.get("none"), form.getAll("none")]; },
  form_set: () => { const form = new FormData(); for (const [key, value] of [["a", 1], ["b", 2], ["a", 3]]) form.append(key, value); form.set("a", "new"); form.set("c", "4"); return [...form]; },
  form_delete: () => { const form = new FormData(); form.append("a", 1); form.append("b", 1); form.delete("a"); form.delete("none"); return [...form.keys()]; },
  form_blobs: async () => { const form = new FormData(); form.append("a", new Blob(["x"], { type: "x/y" })); form.append("b", new Blob(["y"]), "n.bin"); form.append("c", new File(["z"], "f.txt")); form.append("d", new File(["z"], "f.txt"), "g.txt"); return Promise.all([...form].map(async ([key, value]) => [key, value.name, value.type, value instanceof File, await value.text()])); },
  form_filename_of_text: () => name(() => { const form = new FormData(); form.append("a", "text", "n"); return "taken"; }),
  form_few: () => [name(() => new FormData().append("a")), name(() => new FormData().get()), name(() => new FormData({}) && "taken"), name(() => new FormData(null) && "taken")],
  form_for_each: () => { const form = new FormData(); form.append("a", "1"); const all = []; form.forEach(function (value, key, of) { all.push(value, key, of === form, this.x); }, { x: 1 }); return all; },
  form_changed_while_read: () => { const form = new FormData(); form.append("a", "1"); const seen = []; for (const [key] of form) { seen.push(key); if (seen.length < 3) form.append(`${key}x`, "1"); } return seen; },
  form_multipart: async () => { const form = new FormData(); form.append("a\"b", "1\r\n2"); form.append("f", new File(["\r\n--x"], "ü\"n.txt", { type: "text/plain" })); const response = new Response(form); const type = response.headers.get("content-type"); const back = await response.formData(); const file = back.get("f"); return [/^multipart\/form-data; ?boundary=/.test(type), back.get("a\"b"), file.name, file.type, await file.text()]; },
  form_urlencoded: async () => [...await new Response("a=1&b=%C3%A9+x&a=", { headers: { "content-type": "application/x-www-form-urlencoded" } }).formData()],
  form_read: async () => { const body = "--B\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n--B\r\ncontent-disposition: form-data; name=b; filename=\"c.bin\"\r\nContent-Type: x/y\r\n\r\n\u0001\r\n--B--\r\n"; const form = await new Response(body, { headers: { "content-type": "multipart/form-data; boundary=B" } }).formData(); return [form.get("a"), form.get("b").name, form.get("b").type, await form.get("b").text()]; },
  form_broken: async () => Promise.all([["--B\r\n", "multipart/form-data; boundary=B"], ["", "multipart/form-data"], ["a=1", "text/plain"], ["x", "multipart/form-data; boundary=B"], ["--B\r\n\r\n1\r\n--B--", "multipart/form-data; boundary=B"], ["--B--\r\n", "multipart/form-data; boundary=B"]].map(([body, type]) => asyncName(async () => [...await new Response(body, { headers: { "content-type": type } }).formData()]))),
  form_without_type: () => asyncName(() => new Response(new Uint8Array([97])).formData()),
};
