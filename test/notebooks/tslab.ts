/** What the kernel's module offers to a notebook, as far as ours use it: what is shown is recorded. */
import { show } from "./execute.ts";

export const display = {
  html: (text: string): void => {
    show("text/html", text);
  },
  svg: (text: string): void => {
    show("image/svg+xml", text);
  },
};
