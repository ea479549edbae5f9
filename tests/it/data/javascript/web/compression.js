// CompressionStream and DecompressionStream.

const bytes = (hex) => new Uint8Array((hex.match(/../g) ?? []).map((pair) => parseInt(pair, 16)));
const through = async (stream, ...parts) => {
  const writer = stream.writable.getWriter();
  const wrote = (async () => { for (const part of parts) await writer.write(part); await writer.close(); })();
  wrote.catch(() => {});
  const all = await new Response(stream.readable).arrayBuffer();
  await wrote;
  return new Uint8Array(all);
};
const name = async (work) => { try { return await work(); } catch (error) { return error.name; } };
// "hello" as gzip(1), zlib and raw deflate write it.
const GZIP = "1f8b0800000000000003cb48cdc9c9070086a6103605000000";
const ZLIB = "789ccb48cdc9c90700062c0215";
const RAW = "cb48cdc9c90700";

export default {
  formats: () => ["gzip", "deflate", "deflate-raw", "brotli", "GZIP", "zlib", ""].map((format) => { try { new CompressionStream(format); new DecompressionStream(format); return "there"; } catch (error) { return error.name; } }),
  no_format: () => { try { new CompressionStream(); return "there"; } catch (error) { return error.name; } },
  there_and_back: async () => {
    const all = [];
    for (const format of ["gzip", "deflate", "deflate-raw"]) {
      for (const length of [0, 1, 1000, 200000]) {
        const data = new Uint8Array(length).map((_, at) => (at * at) % 251);
        const packed = await through(new CompressionStream(format), data);
        const back = await through(new DecompressionStream(format), packed);
        all.push(back.length === length && back.every((byte, at) => byte === data[at]) && (length < 1000 || packed.length < length / 2));
      }
    }
    return all;
  },
  known: async () => [await through(new DecompressionStream("gzip"), bytes(GZIP)), await through(new DecompressionStream("deflate"), bytes(ZLIB)), await through(new DecompressionStream("deflate-raw"), bytes(RAW))].map((each) => new TextDecoder().decode(each)),
  byte_by_byte: async () => new TextDecoder().decode(await through(new DecompressionStream("gzip"), ...Array.from(bytes(GZIP), (byte) => new Uint8Array([byte])))),
  // A name, a comment, a field of extra data and a checksum of the head.
  long_head: async () => new TextDecoder().decode(await through(new DecompressionStream("gzip"), bytes("1f8b081c0000000000ff0300010203" + "6e00" + "6300" + "cb48cdc9c9070086a6103605000000"))),
  truncated: async () => Promise.all(["gzip", "deflate", "deflate-raw"].map((format, at) => name(() => through(new DecompressionStream(format), bytes([GZIP, ZLIB, RAW][at]).slice(0, -2))))),
  empty: async () => Promise.all(["gzip", "deflate", "deflate-raw"].map((format) => name(() => through(new DecompressionStream(format))))),
  trailing: async () => Promise.all(["gzip", "deflate", "deflate-raw"].map((format, at) => name(() => through(new DecompressionStream(format), bytes([GZIP, ZLIB, RAW][at] + "00"))))),
  broken: async () => [await name(() => through(new DecompressionStream("gzip"), bytes("00112233445566778899"))), await name(() => through(new DecompressionStream("deflate"), bytes("ffff"))), await name(() => through(new DecompressionStream("deflate-raw"), bytes("ffffff"))), await name(() => through(new DecompressionStream("gzip"), bytes(GZIP.replace("86a61036", "00000000"))))],
  no_bytes: async () => Promise.all(["text", 5, {}].map((chunk) => name(async () => { const { readable, writable } = new CompressionStream("gzip"); readable.getReader().read().catch(() => {}); await writable.getWriter().write(chunk); return "taken"; }))),
  views: async () => new TextDecoder().decode(await through(new DecompressionStream("deflate-raw"), await through(new CompressionStream("deflate-raw"), bytes("414243").buffer, new DataView(bytes("0044").buffer, 1)))),
  pipe: async () => new Response(new Blob(["piped ".repeat(1000)]).stream().pipeThrough(new CompressionStream("gzip")).pipeThrough(new DecompressionStream("gzip"))).text().then((text) => text.length),
  // 10 MB of zeros are 10 kB: what is read first is there before the rest.
  bomb: async () => {
    const packed = await through(new CompressionStream("gzip"), new Uint8Array(10 << 20));
    const reader = new Response(packed).body.pipeThrough(new DecompressionStream("gzip")).getReader();
    const { value } = await reader.read();
    await reader.cancel();
    return value.length > 0 && value.length <= 1 << 20;
  },
  tags: () => [new CompressionStream("gzip"), new DecompressionStream("gzip")].map((each) => Object.prototype.toString.call(each)),
};
