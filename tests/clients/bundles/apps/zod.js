import { z } from "zod";

const Order = z.object({
  id: z.uuid(), email: z.email(), url: z.url().optional(), when: z.iso.datetime(), lines: z.array(z.object({ name: z.string().min(1).max(20), count: z.coerce.number().int().positive(), price: z.number().multipleOf(0.01) })).nonempty(),
  kind: z.enum(["new", "repeat"]), note: z.string().trim().transform((text) => text.toUpperCase()).nullable().default(null),
  address: z.discriminatedUnion("type", [z.object({ type: z.literal("street"), street: z.string() }), z.object({ type: z.literal("box"), box: z.bigint().or(z.string().regex(/^\d+$/)) })]),
  tags: z.record(z.string(), z.unknown()).optional(),
}).strict().refine((order) => order.lines.length < 4, { message: "too many lines", path: ["lines"] });

export default {
  async fetch(request) {
    if (request.method === "GET") return Response.json(z.toJSONSchema(z.object({ a: z.string(), b: z.number().optional(), c: z.array(z.boolean()) })));
    const parsed = await Order.safeParseAsync(await request.json());
    if (parsed.success) return Response.json(parsed.data);
    return Response.json({ issues: parsed.error.issues, flat: z.flattenError(parsed.error), pretty: z.prettifyError(parsed.error) }, { status: 422 });
  },
};

const fine = { id: "0f8fad5b-d9cb-469f-a165-70867728950e", email: "a@b.example", when: "2026-01-01T00:00:00Z", lines: [{ name: "tea", count: "2", price: 1.25 }], kind: "new", note: " milk ", address: { type: "box", box: "12" } };
const post = (value) => ({ method: "POST", body: JSON.stringify(value) });
export const asks = [
  ["/"], ["/", post(fine)], ["/", post({ ...fine, email: "none", lines: [], extra: 1 })], ["/", post({ ...fine, address: { type: "boat" }, kind: "old", when: "today" })],
  ["/", post({ ...fine, lines: Array(5).fill({ name: "x", count: 1, price: 1 }) })], ["/", post({ ...fine, lines: [{ name: "", count: "two", price: "1" }], id: 5 })], ["/", post([])],
];
