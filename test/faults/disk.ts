/** A file system that fails at one call: the calls of this process below one folder are counted, and one of them does not happen. */
import fs from "node:fs";
import { join, relative } from "node:path";
import { syncBuiltinESMExports } from "node:module";

type Call = (...args: unknown[]) => Promise<unknown>;

/** Calls that change what lies on the disk. */
const changing = ["rename", "open", "link", "rm", "mkdir"] as const;
type Changing = (typeof changing)[number];

/**
 * Watches the changes of files below `root` from now on.
 *
 * @param act done in place of a call, told which; undefined lets it pass
 * @returns what ends the watch, and how many calls there were
 */
export function watchDisk(
  root: string,
  act: (n: number, call: string, path: string) => Error | undefined,
): { readonly end: () => number } {
  const promises = fs.promises as unknown as Record<Changing | "sync", Call>;
  const original = Object.fromEntries(changing.map((name) => [name, promises[name]])) as Record<
    Changing,
    Call
  >;
  let count = 0;
  for (const name of changing) {
    promises[name] = async (...args) => {
      const path = String(args[name === "rename" || name === "link" ? 1 : 0]);
      const reads = name === "open" && (args[1] === undefined || args[1] === "r");
      if (path.startsWith(root) && !reads) {
        const error = act(count++, name, path);
        if (error !== undefined) throw error;
      }
      return original[name](...args);
    };
  }
  syncBuiltinESMExports();
  return {
    end: () => {
      Object.assign(promises, original);
      syncBuiltinESMExports();
      return count;
    },
  };
}

/** An error as the system gives it. */
export function systemError(code: string, call: string, path: string): Error {
  return Object.assign(new Error(`${code}: told to fail, ${call} '${path}'`), { code, syscall: call, path });
}

interface Change {
  readonly call: string;
  readonly path: string;
}

/** A change in words that are the same every time: what is drawn of names is left out. */
function wordsOf(root: string, { call, path }: Change): string {
  const drawn = /[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]+-[0-9a-f]{8}\.tmp$/g;
  return `${call} ${relative(root, path).replaceAll(drawn, "*")}`;
}

/** Whether this is the change with these words. */
export function isAt(words: string, root: string, change: Change): boolean {
  return words !== "" && wordsOf(root, change) === words;
}

/** Keeps what lies below `root` before a change, with the change's words: from there its neighbourhood is reached in no time. */
export function keepBefore(
  root: string,
  keep: string,
  { n, ...change }: Change & { readonly n: number },
): void {
  const place = join(keep, String(n).padStart(4, "0"));
  fs.mkdirSync(place, { recursive: true });
  if (fs.existsSync(root)) linkAll(root, join(place, "files"));
  fs.writeFileSync(join(place, "words"), wordsOf(root, change));
}

/** Links in place of copies: files are written beside their places, never changed where they are. */
function linkAll(from: string, to: string): void {
  fs.mkdirSync(to, { recursive: true });
  for (const entry of fs.readdirSync(from, { withFileTypes: true })) {
    const [one, other] = [join(from, entry.name), join(to, entry.name)];
    if (entry.isDirectory()) linkAll(one, other);
    else fs.linkSync(one, other);
  }
}
