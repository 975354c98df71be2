/** The layouts, in the order in which they are tried: the surest signs first. */
import { adience } from "./adience.ts";
import { afewVa } from "./afew-va.ts";
import { affectnet } from "./affectnet.ts";
import { aflw2000 } from "./aflw2000.ts";
import { namedLayouts } from "./by-name.ts";
import { celeba } from "./celeba.ts";
import { classFolders } from "./class-folders.ts";
import { fairface } from "./fairface.ts";
import { fer2013 } from "./fer2013.ts";
import { imdbWiki } from "./imdb-wiki.ts";
import { labelsCsv } from "./labels-csv.ts";
import type { SourceLayout } from "./layout.ts";
import { lfwa } from "./lfwa.ts";
import { maadFace } from "./maad-face.ts";
import { pointing04 } from "./pointing04.ts";
import { rafDb } from "./raf-db.ts";
import { refusedLayouts } from "./refused.ts";

export const LAYOUTS: readonly SourceLayout[] = [
  labelsCsv,
  celeba,
  adience,
  rafDb,
  fairface,
  affectnet,
  maadFace,
  lfwa,
  fer2013,
  ...refusedLayouts,
  afewVa,
  aflw2000,
  pointing04,
  ...namedLayouts,
  imdbWiki,
  classFolders,
];
