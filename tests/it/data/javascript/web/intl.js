// What stands in for Intl.

const name = (work) => { try { return work(); } catch (error) { return error.name; } };

export default {
  numbers: () => [(1234567.891).toLocaleString(), (0).toLocaleString(), (-1234.5).toLocaleString("en-US"), NaN.toLocaleString(), Infinity.toLocaleString(), (1e21).toLocaleString(), (12n).toLocaleString(), (1234567n).toLocaleString()],
  dates: () => { const date = new Date(Date.UTC(2026, 0, 2, 15, 4, 5)); return [date.toLocaleString(), date.toLocaleDateString(), date.toLocaleTimeString(), new Date(NaN).toLocaleString()]; },
  arrays: () => [[1234, new Date(0)].toLocaleString(), [1, null, undefined].toLocaleString()],
  strings: () => ["a".localeCompare("b"), "b".localeCompare("a"), "a".localeCompare("a"), "I".toLocaleLowerCase(), "i".toLocaleUpperCase()],
  collation: () => ["ä".localeCompare("z", "de"), "a".localeCompare("B"), "résumé".localeCompare("resume", "en", { sensitivity: "base" })],
  intl: () => ["DateTimeFormat", "NumberFormat", "Collator", "PluralRules", "RelativeTimeFormat", "ListFormat", "Segmenter"].map((each) => name(() => typeof new Intl[each]("en"))),
  options: () => [name(() => (5).toLocaleString("en-US", { style: "currency", currency: "USD" })), name(() => new Date(0).toLocaleDateString("en-US", { timeZone: "America/New_York" }))],
};
