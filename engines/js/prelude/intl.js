// What stands in for ECMA-402. There is one locale, en-US, and one time zone, UTC: a request for another locale is answered
// with this one, as the standard has it for locales that an implementation does not have. What cannot be answered with it
// throws, and says what it is.

const LOCALE = "en-US";

function missing(what) {
  return new TypeError(`${what} is not supported: this runtime formats numbers and dates for en-US and UTC, and has no data of other locales and time zones.`);
}

/** One of the values that an option may have. */
function choose(options, name, among, otherwise) {
  const value = options?.[name];
  if (value === undefined) return otherwise;
  if (!among.includes(String(value))) throw new RangeError(`Value ${String(value)} out of range for Intl options property ${name}`);
  return String(value);
}

function checkLocales(locales) {
  for (const locale of locales === undefined ? [] : typeof locales === "string" ? [locales] : [...locales]) {
    if (!/^[a-zA-Z]{2,8}(-[a-zA-Z0-9]{1,8})*$/.test(String(locale))) throw new RangeError(`Incorrect locale information provided: ${String(locale)}`);
  }
}

const SYMBOLS = { USD: "$", EUR: "€", GBP: "£", JPY: "¥", INR: "₹", CNY: "CN¥", KRW: "₩", BRL: "R$", CAD: "CA$", AUD: "A$", MXN: "MX$", NZD: "NZ$", ILS: "₪", VND: "₫", TWD: "NT$", HKD: "HK$", PHP: "₱" };
const WITHOUT_CENTS = new Set(["JPY", "KRW", "VND", "CLP", "ISK", "UGX", "XAF", "XOF", "XPF", "PYG", "RWF"]);

function digitsOf(options, least, most) {
  const number = (name, otherwise) => {
    const value = options?.[name];
    if (value === undefined) return otherwise;
    const digits = Math.trunc(Number(value));
    if (!(digits >= 0 && digits <= 100)) throw new RangeError(`${name} value is out of range.`);
    return digits;
  };
  const min = number("minimumFractionDigits", undefined);
  const max = number("maximumFractionDigits", undefined);
  if (min !== undefined && max !== undefined && min > max) throw new RangeError("maximumFractionDigits value is out of range.");
  return [min ?? Math.min(least, max ?? least), max ?? Math.max(most, min ?? most)];
}

/** A decimal number as a whole one and how many of its digits are behind the point. */
function decimalOf(value) {
  if (typeof value === "bigint") return [value < 0n ? -value : value, 0];
  const [mantissa, exponent = "0"] = String(Math.abs(value)).split("e");
  const [whole, fraction = ""] = mantissa.split(".");
  const places = fraction.length - Number(exponent);
  return places >= 0 ? [BigInt(whole + fraction), places] : [BigInt(whole + fraction) * 10n ** BigInt(-places), 0];
}

function plainNumber(value, [least, most], grouped) {
  let [number, places] = decimalOf(value);
  if (places > most) {
    const unit = 10n ** BigInt(places - most);
    number = (number + unit / 2n) / unit;
    places = most;
  }
  const text = number.toString().padStart(places + 1, "0");
  const whole = text.slice(0, text.length - places);
  let fraction = text.slice(text.length - places);
  while (fraction.length > least && fraction.endsWith("0")) fraction = fraction.slice(0, -1);
  fraction = fraction.padEnd(least, "0");
  return (grouped ? whole.replace(/\B(?=(\d{3})+$)/g, ",") : whole) + (fraction ? `.${fraction}` : "");
}

function numberOptions(options) {
  const style = choose(options, "style", ["decimal", "percent", "currency", "unit"], "decimal");
  if (style === "unit") throw missing("The style \"unit\" of Intl.NumberFormat");
  for (const name of ["notation", "signDisplay", "minimumSignificantDigits", "maximumSignificantDigits", "roundingMode", "roundingIncrement"]) {
    const value = options?.[name];
    if (value !== undefined && value !== "standard" && value !== "auto") throw missing(`The option ${JSON.stringify(name)} of Intl.NumberFormat`);
  }
  const currency = options?.currency === undefined ? undefined : String(options.currency).toUpperCase();
  if (style === "currency" && currency === undefined) throw new TypeError("Currency code is required with currency style.");
  if (currency !== undefined && !/^[A-Z]{3}$/.test(currency)) throw new RangeError(`Invalid currency code : ${currency}`);
  const cents = style === "currency" ? (WITHOUT_CENTS.has(currency) ? 0 : 2) : 0;
  const most = style === "currency" ? cents : style === "percent" ? 0 : 3;
  const display = choose(options, "currencyDisplay", ["symbol", "narrowSymbol", "code", "name"], "symbol");
  if (style === "currency" && display === "name") throw missing("The currencyDisplay \"name\" of Intl.NumberFormat");
  return { style, currency, display, digits: digitsOf(options, cents, most), grouped: options?.useGrouping === undefined || (options.useGrouping !== false && options.useGrouping !== "false") };
}

function formatNumber(value, { style, currency, display, digits, grouped }) {
  if (typeof value !== "bigint") value = Number(value);
  const isNegative = typeof value === "bigint" ? value < 0n : value < 0 || Object.is(value, -0);
  let text;
  if (Number.isNaN(value)) text = "NaN";
  else if (value === Infinity || value === -Infinity) text = "∞";
  else if (style === "percent") text = percent(value, digits, grouped);
  else text = plainNumber(value, digits, grouped);
  if (style === "percent") text += "%";
  if (style === "currency") {
    const symbol = display === "code" ? currency : display === "narrowSymbol" ? (SYMBOLS[currency] ?? currency).replace(/^[A-Z]+(?=\W)/, "") : SYMBOLS[currency] ?? currency;
    text = `${symbol}${/[A-Za-z]$/.test(symbol) ? "\u00a0" : ""}${text}`;
  }
  return isNegative && !Number.isNaN(value) ? `-${text}` : text;
}

function percent(value, digits, grouped) {
  if (typeof value === "bigint") return plainNumber(value * 100n, digits, grouped);
  const [number, places] = decimalOf(value);
  return plainNumber(Number(`${number * 100n}e-${places}`), digits, grouped);
}

const MONTHS = ["January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"];
const DAYS = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const two = (number) => String(number).padStart(2, "0");

const DATE_STYLES = {
  full: { weekday: "long", year: "numeric", month: "long", day: "numeric" }, long: { year: "numeric", month: "long", day: "numeric" },
  medium: { year: "numeric", month: "short", day: "numeric" }, short: { year: "2-digit", month: "numeric", day: "numeric" },
};
const TIME_STYLES = {
  full: { hour: "numeric", minute: "2-digit", second: "2-digit", timeZoneName: "long" }, long: { hour: "numeric", minute: "2-digit", second: "2-digit", timeZoneName: "short" },
  medium: { hour: "numeric", minute: "2-digit", second: "2-digit" }, short: { hour: "numeric", minute: "2-digit" },
};
const STYLES = ["full", "long", "medium", "short"];
const NUMBERS = ["numeric", "2-digit"];

/** What is shown of a date; `standard` says what is, where nothing is asked for. */
function dateOptions(options, standard) {
  const zone = options?.timeZone;
  if (zone !== undefined && !/^(utc|gmt|etc\/(utc|gmt)|[+-]00(:?00)?)$/i.test(String(zone))) throw missing(`The time zone ${JSON.stringify(String(zone))}`);
  for (const name of ["era", "dayPeriod", "fractionalSecondDigits", "calendar", "numberingSystem"]) {
    const value = options?.[name];
    if (value !== undefined && value !== "gregory" && value !== "latn") throw missing(`The option ${JSON.stringify(name)} of Intl.DateTimeFormat`);
  }
  const dateStyle = choose(options, "dateStyle", STYLES);
  const timeStyle = choose(options, "timeStyle", STYLES);
  let shown = {
    weekday: choose(options, "weekday", ["long", "short", "narrow"]), year: choose(options, "year", NUMBERS), month: choose(options, "month", [...NUMBERS, "long", "short", "narrow"]),
    day: choose(options, "day", NUMBERS), hour: choose(options, "hour", NUMBERS), minute: choose(options, "minute", NUMBERS), second: choose(options, "second", NUMBERS),
    timeZoneName: choose(options, "timeZoneName", ["short", "long", "shortOffset", "longOffset", "shortGeneric", "longGeneric"]),
  };
  if (dateStyle || timeStyle) {
    if (Object.values(shown).some((each) => each !== undefined)) throw new TypeError("Can't set option when dateStyle or timeStyle is used");
    shown = { ...DATE_STYLES[dateStyle], ...TIME_STYLES[timeStyle] };
  } else {
    const day = [shown.weekday, shown.year, shown.month, shown.day].every((each) => each === undefined);
    const time = [shown.hour, shown.minute, shown.second].every((each) => each === undefined);
    if ((standard === "date" && day) || (standard !== "time" && day && time)) Object.assign(shown, { year: "numeric", month: "numeric", day: "numeric" });
    if ((standard === "time" && time) || (standard === "both" && day && time)) Object.assign(shown, { hour: "numeric", minute: "2-digit", second: "2-digit" });
  }
  const cycle = choose(options, "hourCycle", ["h11", "h12", "h23", "h24"]);
  return { ...shown, dateStyle, hour12: options?.hour12 === undefined ? cycle === undefined || cycle === "h12" || cycle === "h11" : Boolean(options.hour12) };
}

function dayOf(date, shown) {
  const year = shown.year && (shown.year === "2-digit" ? two(date.getUTCFullYear() % 100) : String(date.getUTCFullYear()));
  const day = shown.day && (shown.day === "2-digit" ? two(date.getUTCDate()) : String(date.getUTCDate()));
  const weekday = shown.weekday && { long: (name) => name, short: (name) => name.slice(0, 3), narrow: (name) => name[0] }[shown.weekday](DAYS[date.getUTCDay()]);
  if (shown.month === "long" || shown.month === "short" || shown.month === "narrow") {
    const name = MONTHS[date.getUTCMonth()];
    const month = shown.month === "long" ? name : shown.month === "short" ? name.slice(0, 3) : name[0];
    const rest = [month, day].filter(Boolean).join(" ");
    return [weekday, year && day ? `${rest}, ${year}` : [rest, year].filter(Boolean).join(" ")].filter(Boolean).join(", ");
  }
  const month = shown.month && (shown.month === "2-digit" ? two(date.getUTCMonth() + 1) : String(date.getUTCMonth() + 1));
  return [weekday, [month, day, year].filter(Boolean).join("/")].filter(Boolean).join(", ");
}

function timeOf(date, shown) {
  const hours = date.getUTCHours();
  const parts = [];
  if (shown.hour) {
    const hour = shown.hour12 ? hours % 12 || 12 : hours;
    parts.push(shown.hour === "2-digit" || !shown.hour12 ? two(hour) : String(hour));
  }
  if (shown.minute) parts.push(shown.hour || shown.second || shown.minute === "2-digit" && parts.length ? two(date.getUTCMinutes()) : String(date.getUTCMinutes()));
  if (shown.second) parts.push(shown.minute || shown.hour ? two(date.getUTCSeconds()) : String(date.getUTCSeconds()));
  const suffix = shown.hour && shown.hour12 ? (hours < 12 ? " AM" : " PM") : "";
  const zone = shown.timeZoneName ? (shown.timeZoneName === "long" || shown.timeZoneName === "longGeneric" ? " Coordinated Universal Time" : shown.timeZoneName.endsWith("Offset") ? " GMT" : " UTC") : "";
  return parts.length ? parts.join(":") + suffix + zone : zone.trim();
}

function formatDate(date, shown) {
  const [day, time] = [dayOf(date, shown), timeOf(date, shown)];
  const between = shown.dateStyle === "full" || shown.dateStyle === "long" ? " at " : ", ";
  return day && time ? day + between + time : day || time;
}

/** Marks are of less weight than letters, and case of less than marks. */
const baseOf = (text) => text.normalize("NFD").replace(/\p{M}/gu, "");
const SENSITIVITY = ["base", "accent", "case", "variant"];

function order(one, other) { return one < other ? -1 : one > other ? 1 : 0; }

/** Signs come before digits, and those before letters. */
function keyOf(text, numeric) {
  const signs = text.replace(/[^\p{L}\p{N}]/gu, (sign) => `\u0001${sign}`).replace(/\p{N}/gu, (digit) => `\u0002${digit}`);
  return numeric ? signs.replace(/(\u0002\p{N})+/gu, (digits) => { const number = digits.replace(/\u0002/g, "").replace(/^0+(?=.)/, ""); return `\u0002${String.fromCharCode(0x100 + number.length)}${number}`; }) : signs;
}

function collate(one, other, { sensitivity = "variant", numeric = false } = {}) {
  const [left, right] = [one.normalize("NFD"), other.normalize("NFD")];
  const byBase = order(keyOf(baseOf(left).toLowerCase(), numeric), keyOf(baseOf(right).toLowerCase(), numeric));
  if (byBase || sensitivity === "base") return byBase;
  if (sensitivity !== "case") {
    const byAccent = order(left.toLowerCase(), right.toLowerCase());
    if (byAccent || sensitivity === "accent") return byAccent;
  }
  // Small letters come before capital ones.
  const flipped = (text) => [...text].map((each) => (each === each.toLowerCase() ? each.toUpperCase() : each.toLowerCase())).join("");
  return order(flipped(left), flipped(right));
}

const collatorOptions = (options) => ({ sensitivity: choose(options, "sensitivity", SENSITIVITY, "variant"), numeric: Boolean(options?.numeric) });

class NumberFormat {
  #options;
  constructor(locales, options) { checkLocales(locales); this.#options = numberOptions(options); }
  get format() { return (value) => formatNumber(value, this.#options); }
  formatToParts() { throw missing("Intl.NumberFormat.prototype.formatToParts"); }
  resolvedOptions() { const { style, currency, digits, grouped } = this.#options; return { locale: LOCALE, numberingSystem: "latn", style, ...(currency && style === "currency" ? { currency } : {}), minimumIntegerDigits: 1, minimumFractionDigits: digits[0], maximumFractionDigits: digits[1], useGrouping: grouped ? "auto" : false, notation: "standard" }; }
  static supportedLocalesOf(locales) { checkLocales(locales); return (typeof locales === "string" ? [locales] : [...(locales ?? [])]).filter((locale) => locale === LOCALE || locale === "en"); }
  get [Symbol.toStringTag]() { return "Intl.NumberFormat"; }
}

class DateTimeFormat {
  #shown;
  constructor(locales, options) { checkLocales(locales); this.#shown = dateOptions(options, "any"); }
  get format() {
    return (value) => {
      const date = new Date(value === undefined ? Date.now() : value);
      if (Number.isNaN(date.getTime())) throw new RangeError("Invalid time value");
      return formatDate(date, this.#shown);
    };
  }
  formatToParts() { throw missing("Intl.DateTimeFormat.prototype.formatToParts"); }
  formatRange() { throw missing("Intl.DateTimeFormat.prototype.formatRange"); }
  resolvedOptions() { const { hour12, dateStyle, ...shown } = this.#shown; return { locale: LOCALE, calendar: "gregory", numberingSystem: "latn", timeZone: "UTC", ...(shown.hour ? { hourCycle: hour12 ? "h12" : "h23", hour12 } : {}), ...Object.fromEntries(Object.entries(shown).filter(([, value]) => value !== undefined)) }; }
  static supportedLocalesOf(locales) { return NumberFormat.supportedLocalesOf(locales); }
  get [Symbol.toStringTag]() { return "Intl.DateTimeFormat"; }
}

class Collator {
  #options;
  constructor(locales, options) { checkLocales(locales); this.#options = collatorOptions(options); }
  get compare() { return (one, other) => collate(String(one), String(other), this.#options); }
  resolvedOptions() { return { locale: LOCALE, usage: "sort", ...this.#options, ignorePunctuation: false, collation: "default", caseFirst: "false" }; }
  static supportedLocalesOf(locales) { return NumberFormat.supportedLocalesOf(locales); }
  get [Symbol.toStringTag]() { return "Intl.Collator"; }
}

const callable = (kind) => new Proxy(kind, { apply: (target, _, args) => new target(...args) });

function absent(name) {
  const made = function () { throw missing(`Intl.${name}`); };
  Object.defineProperty(made, "name", { value: name });
  return made;
}

export function installIntl(scope) {
  const intl = Object.create(Object.prototype, { [Symbol.toStringTag]: { value: "Intl", configurable: true } });
  const define = (object, name, value) => Object.defineProperty(object, name, { value, writable: true, configurable: true, enumerable: false });
  for (const [name, kind] of Object.entries({ NumberFormat, DateTimeFormat, Collator })) define(intl, name, callable(kind));
  for (const name of ["PluralRules", "RelativeTimeFormat", "ListFormat", "Segmenter", "DisplayNames", "Locale", "DurationFormat"]) define(intl, name, absent(name));
  define(intl, "getCanonicalLocales", (locales) => { checkLocales(locales); return typeof locales === "string" ? [locales] : [...(locales ?? [])]; });
  define(intl, "supportedValuesOf", absent("supportedValuesOf"));
  define(scope, "Intl", intl);
  const dated = (standard) => function (locales, options) {
    const time = Date.prototype.getTime.call(this);
    checkLocales(locales);
    const shown = dateOptions(options, standard);
    return Number.isNaN(time) ? "Invalid Date" : formatDate(this, shown);
  };
  const methods = [
    [Number.prototype, "toLocaleString", function (locales, options) { checkLocales(locales); return formatNumber(Number.prototype.valueOf.call(this), numberOptions(options)); }],
    [BigInt.prototype, "toLocaleString", function (locales, options) { checkLocales(locales); return formatNumber(BigInt.prototype.valueOf.call(this), numberOptions(options)); }],
    [Date.prototype, "toLocaleString", dated("both")], [Date.prototype, "toLocaleDateString", dated("date")], [Date.prototype, "toLocaleTimeString", dated("time")],
    [String.prototype, "localeCompare", function (other, locales, options) { checkLocales(locales); return collate(String(this), String(other), collatorOptions(options)); }],
  ];
  for (const [object, name, method] of methods) {
    Object.defineProperty(method, "name", { value: name });
    define(object, name, method);
  }
}
