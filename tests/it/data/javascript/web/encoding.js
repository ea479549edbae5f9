// TextEncoder, TextDecoder, their streams; atob and btoa.

const bytes = (hex) => new Uint8Array((hex.match(/../g) ?? []).map((pair) => parseInt(pair, 16)));
const decoded = (label, hex, options) => new TextDecoder(label, options).decode(bytes(hex));
const name = (work) => { try { return work(); } catch (error) { return error.name; } };

/** One label of each encoding of the Encoding standard, and bytes that mean something in it. */
const ENCODINGS = {
  "utf-8": "c3a9e282acf09f988a", "ibm866": "8fe0a8a2a5e2", "iso-8859-2": "b1e6ea", "iso-8859-3": "a6b6", "iso-8859-4": "b1bf", "iso-8859-5": "bfe0d8d2d5e2",
  "iso-8859-6": "c7e4", "iso-8859-7": "c3e5e9", "iso-8859-8": "f9ece5ed", "iso-8859-8-i": "f9ece5ed", "iso-8859-10": "bdbe", "iso-8859-13": "e0e6", "iso-8859-14": "a1a2",
  "iso-8859-15": "a4bc", "iso-8859-16": "a4a5", "koi8-r": "f0d2c9", "koi8-u": "f0d2a4", "macintosh": "8e8f", "windows-874": "cac7", "windows-1250": "9ae9",
  "windows-1251": "cff0e8", "windows-1252": "80e9", "windows-1253": "c3e5", "windows-1254": "fee7", "windows-1255": "f9ec", "windows-1256": "e3d1", "windows-1257": "e0e6",
  "windows-1258": "eac3", "x-mac-cyrillic": "cff0", "gbk": "c4e3bac3", "gb18030": "c4e3bac381308130", "big5": "a741a66e", "euc-jp": "a4b3a4f3", "iso-2022-jp": "1b2442243324731b2842",
  "shift_jis": "82b182f1", "euc-kr": "bec8b3e7", "utf-16be": "00e920ac", "utf-16le": "e900ac20", "x-user-defined": "80ff",
};

export default {
  every_encoding: () => Object.fromEntries(Object.entries(ENCODINGS).map(([label, hex]) => [label, name(() => [new TextDecoder(label).encoding, decoded(label, hex)])])),
  labels: () => ["latin1", " UTF8 ", "ascii", "unicode", "sjis", "ms_kanji", "x-sjis", "cp1251", "ISO-8859-1", "\u00a0utf-8", "korean", "csbig5", "x-x-big5", "utf-7", "replacement", "iso-2022-kr", "hz-gb-2312", "", "nonsense"].map((label) => name(() => new TextDecoder(label).encoding)),
  default_label: () => [new TextDecoder().encoding, new TextDecoder(undefined).encoding, name(() => new TextDecoder(null).encoding)],
  options: () => { const decoder = new TextDecoder("utf-8", { fatal: 1, ignoreBOM: "yes" }); return [decoder.fatal, decoder.ignoreBOM, new TextDecoder().fatal, new TextDecoder().ignoreBOM]; },
  replacement: () => ["ff", "c3", "e282", "f09f98", "c328", "eda080", "f4908080", "c0af"].map((hex) => decoded("utf-8", hex)),
  fatal: () => ["ff", "c3", "e282ac", ""].map((hex) => name(() => decoded("utf-8", hex, { fatal: true }))),
  fatal_others: () => [name(() => decoded("utf-16le", "00d8", { fatal: true })), name(() => decoded("utf-16le", "41", { fatal: true })), name(() => decoded("shift_jis", "81", { fatal: true })), name(() => decoded("euc-kr", "ff", { fatal: true }))],
  bom: () => ["efbbbf41", "fffe4100", "feff0041"].map((hex, at) => [decoded(["utf-8", "utf-16le", "utf-16be"][at], hex).length, decoded(["utf-8", "utf-16le", "utf-16be"][at], hex, { ignoreBOM: true }).length]),
  bom_twice: () => decoded("utf-8", "efbbbfefbbbf").length,
  bom_of_another: () => decoded("utf-8", "fffe4100").length,
  stream: () => { const decoder = new TextDecoder(); return ["f0", "9f98", "8a41", "c3"].map((hex) => decoder.decode(bytes(hex), { stream: true })).concat(decoder.decode()); },
  stream_bom: () => { const decoder = new TextDecoder(); return ["ef", "bb", "bf", "41"].map((hex) => decoder.decode(bytes(hex), { stream: true })).concat(decoder.decode()); },
  stream_again: () => { const decoder = new TextDecoder(); return [decoder.decode(bytes("efbbbf41"), { stream: true }), decoder.decode(), decoder.decode(bytes("efbbbf42"))]; },
  stream_utf16: () => { const decoder = new TextDecoder("utf-16le"); return ["3d", "d80a", "de"].map((hex) => decoder.decode(bytes(hex), { stream: true })).concat(decoder.decode()); },
  stream_shift_jis: () => { const decoder = new TextDecoder("shift_jis"); return ["82", "b182", "f1"].map((hex) => decoder.decode(bytes(hex), { stream: true })).concat(decoder.decode()); },
  stream_iso_2022_jp: () => { const decoder = new TextDecoder("iso-2022-jp"); return ["1b24", "4224", "331b2842"].map((hex) => decoder.decode(bytes(hex), { stream: true })).concat(decoder.decode()); },
  stream_fatal: () => { const decoder = new TextDecoder("utf-8", { fatal: true }); return [name(() => decoder.decode(bytes("c3"), { stream: true })), name(() => decoder.decode()), name(() => decoder.decode(bytes("41")))]; },
  decode_views: () => [new TextDecoder().decode(bytes("004142").buffer), new TextDecoder().decode(new DataView(bytes("414243").buffer, 1)), new TextDecoder().decode(new Uint16Array(bytes("4142").buffer))],
  decode_nothing: () => [new TextDecoder().decode(), name(() => new TextDecoder().decode(null)), name(() => new TextDecoder().decode("a")), name(() => new TextDecoder().decode({}))],
  encode: () => [new TextEncoder().encode("é€😊"), new TextEncoder().encode(), new TextEncoder().encode("\ud800a\udc00"), new TextEncoder().encode(12), new TextEncoder().encoding],
  encode_into: () => [[10, "é€😊"], [2, "é€"], [4, "é€"], [3, "😊"], [0, "a"], [7, "\ud800a\udc00"], [1, "\ud83d\ude0a"]].map(([room, text]) => { const into = new Uint8Array(room); return [new TextEncoder().encodeInto(text, into), into]; }),
  encode_into_others: () => [name(() => new TextEncoder().encodeInto("a", new Uint8ClampedArray(1)).written), name(() => new TextEncoder().encodeInto("a", new ArrayBuffer(1)))],
  encoder_stream: async () => { const { readable, writable } = new TextEncoderStream(); const writer = writable.getWriter(); for (const part of ["a", "\ud83d", "\ude0a", "\ud83d"]) writer.write(part); writer.close(); const all = []; for await (const chunk of readable) all.push(chunk); return all; },
  decoder_stream: async () => { const { readable, writable } = new TextDecoderStream("utf-8"); const writer = writable.getWriter(); for (const part of ["f09f", "988a41", "c3"]) writer.write(bytes(part)); writer.close(); const all = []; for await (const chunk of readable) all.push(chunk); return all.join("|"); },
  decoder_stream_fatal: async () => { const stream = new TextDecoderStream("utf-8", { fatal: true }); const writer = stream.writable.getWriter(); writer.write(bytes("ff")).catch(() => {}); writer.close().catch(() => {}); try { for await (const _ of stream.readable); return "nothing"; } catch (error) { return error.name; } },
  stream_tags: () => [new TextEncoderStream(), new TextDecoderStream(), new TextEncoder(), new TextDecoder()].map((each) => Object.prototype.toString.call(each)),
  atob: () => ["YQ==", "YQ", " Y Q = = ", "YWI=", "", "AA"].map((text) => name(() => atob(text))).concat(["Y", "YQ=", "Y===", "a-b_", "é"].map((text) => name(() => atob(text)))),
  btoa: () => [btoa("a"), btoa("\u00ff"), name(() => btoa("€")), btoa(null)],
};
