/** Sliding windows of the operators that are differentiated. */
import type { Shape } from "../network/shapes/context.ts";
import { resolveWindows, type Windows } from "../network/windows.ts";
import { input, type Site } from "./site.ts";

/** Windows of a node whose input 0 is [n, c, ...spatial]. */
export function windowsOf(site: Site, kernelShape?: Shape): Windows {
  const sizes = { input: input(site, 0).shape.slice(2), output: site.outputShapes[0].slice(2) };
  return resolveWindows(site.node, sizes, kernelShape);
}
