import { expect } from "chai";
import { speak, worded } from "../../lib/core/voice.ts";

describe("options in messages", () => {
  it("are said in the caller's words, also those called as all objects have something called", () => {
    const stop = speak("names");
    try {
      expect(worded("--val-fraction 0.3, --no-augment")).to.equal("valFraction 0.3, augment: false");
      expect(worded("unknown option --constructor")).to.equal("unknown option constructor");
    } finally {
      stop();
    }
    expect(worded("--val-fraction 0.3")).to.equal("--val-fraction 0.3");
  });
});
