/** The blocks of the documentation that are programs, and which of them say that the tests do not run them. */
import { readPages, type Page } from "../markdown.ts";

export interface Runnable {
  readonly page: string;
  readonly line: number;
  readonly kind: "shell" | "ts";
  /** What runs; for shell without `npm ci`, as this test itself runs in what that installs. */
  readonly text: string;
  /** Why the tests do not run it: its own first line says so. */
  readonly notRun?: string;
}

const mark = /^(?:#|\/\/) Not run by the tests: (.+)$/m;
const kinds: Readonly<Record<string, Runnable["kind"]>> = {
  sh: "shell",
  bash: "shell",
  shell: "shell",
  console: "shell",
  ts: "ts",
};

/** All shell and ts blocks, by page, in order. */
export function runnableBlocks(pages: readonly Page[] = readPages()): ReadonlyMap<string, Runnable[]> {
  const found = new Map<string, Runnable[]>();
  for (const page of pages) {
    const blocks = page.blocks.flatMap(({ language, text, line }): Runnable[] => {
      const kind = kinds[language];
      if (kind === undefined) return [];
      const reason = mark.exec(text)?.[1];
      const program = kind === "ts" ? text : text.replaceAll(/^npm (?:ci|i etl-prune)(?: && |$)/gm, "");
      return [
        { page: page.path, line, kind, text: program, ...(reason !== undefined && { notRun: reason }) },
      ];
    });
    if (blocks.length > 0) found.set(page.path, blocks);
  }
  return found;
}
