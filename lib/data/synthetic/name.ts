/** How the drawn data set is named, apart from what draws it. */

/** Whether `data` names the drawn set. */
export function isSynthetic(data: string): boolean {
  return data === "synthetic" || data.startsWith("synthetic:");
}
