/** Networks of this program: their files hold what kernels run fast, which is read back as what it means. */
import type { Network } from "../../network/network.ts";
import { convolutionsAsPads, padsAsConvolutions } from "../../network/widen.ts";

/** The producer that files of this program name. */
export const MAKER = "etl-prune";

/** A network that this program built, or read back. One in bytes has Pads of bytes, which are left to it. */
const isOurs = ({ file, nodes }: Network): boolean =>
  (file === undefined || file.producer[0] === MAKER) && nodes.every(({ op }) => op !== "QuantizeLinear");

/** A network with the nodes that its file gets: {@link fromOurFile} is the way back. */
export const forOurFile = (network: Network): Network =>
  isOurs(network) ? padsAsConvolutions(network) : network;

/** A network of a file of this program as it was before it was written. */
export const fromOurFile = (network: Network): Network =>
  isOurs(network) ? convolutionsAsPads(network) : network;
