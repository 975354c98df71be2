/** Numbers that JSON cannot hold: it writes null for them without a word. */

/** Most places that are named. */
const named = 5;

/**
 * Where in a value numbers are not finite: "models[2].test.mae is NaN". The first few.
 *
 * @param at what the value itself is called
 */
export function notFinite(value: unknown, at = ""): string[] {
  const found: string[] = [];
  const look = (each: unknown, path: string): void => {
    if (found.length >= named) return;
    if (typeof each === "number") {
      if (!Number.isFinite(each)) found.push(`${path} is ${each}`);
    } else if (Array.isArray(each)) {
      each.forEach((one, i) => {
        look(one, `${path}[${i}]`);
      });
    } else if (typeof each === "object" && each !== null) {
      for (const [key, one] of Object.entries(each)) look(one, path === "" ? key : `${path}.${key}`);
    }
  };
  look(value, at);
  return found;
}
