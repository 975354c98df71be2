import { expect } from "chai";
import { createHash } from "node:crypto";
import { base64, hex, sha256 } from "../../lib/core/sha256.ts";

describe("core: SHA-256", () => {
  it("is Node's, at every length around a block, and of texts beyond ASCII", () => {
    for (let length = 0; length < 200; length++) {
      const bytes = Uint8Array.from({ length }, (_, i) => (i * 31 + length) % 256);
      expect(hex(sha256(bytes)), String(length)).to.equal(createHash("sha256").update(bytes).digest("hex"));
    }
    const text = "Größe, 顔, 🙂".repeat(1000);
    expect(hex(sha256(text))).to.equal(createHash("sha256").update(text).digest("hex"));
  });

  it("base 64 of more bytes than a call takes arguments", () => {
    const bytes = Uint8Array.from({ length: 200_001 }, (_, i) => (i * 7) % 256);
    expect(base64(bytes)).to.equal(Buffer.from(bytes).toString("base64"));
  });
});
