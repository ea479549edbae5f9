// The host's functions. Set before any other module of the prelude does anything.

export let host;

export function setHost(given) {
  host = given;
}

/** Refuses what only a handler may do. */
export function inHandler() {
  host.inHandler();
}

/** Whether a result of the host's is a failure: a word and a text. */
export function isFailure(result) {
  return Array.isArray(result) && typeof result[0] === "string";
}
