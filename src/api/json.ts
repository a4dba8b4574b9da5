// JSON as the API and the CLI write it: counters are bigints and become numbers while those are
// exact, else text.

/** JSON text; `indent` spaces per level, 0 for one line. */
export function toJson(value: unknown, indent = 0): string {
  return JSON.stringify(value, (_key, each: unknown) => showBigint(each), indent)
}

function showBigint(value: unknown): unknown {
  if (typeof value !== 'bigint') return value
  return value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : value.toString()
}
