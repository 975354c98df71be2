import { expect } from "chai";
import fc from "fast-check";
import {
  escapeHtml,
  html,
  plotLabel,
  plotText,
  raw,
  scriptJson,
  scriptSource,
} from "../../lib/report/escape.ts";

describe("report/escape", () => {
  it("escapes everything that is inserted, except markup", () => {
    const name = `<b a="1" b='2'>&`;
    expect(html`<p title="${name}">${name}${raw("<i>ok</i>")}${[1, undefined, "<"]}</p>`.text).to.equal(
      '<p title="&lt;b a=&quot;1&quot; b=&#39;2&#39;&gt;&amp;">&lt;b a=&quot;1&quot; b=&#39;2&#39;&gt;&amp;<i>ok</i>1&lt;</p>',
    );
  });

  it("never lets a tag or a quote through, whatever the text", () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        expect(escapeHtml(text)).not.to.match(/[<>"']/);
        expect(plotText(text)).not.to.match(/[<>]/);
      }),
    );
  });

  it("embeds JSON that reads back and cannot leave its script element", () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom("<", "/", "!", "-", "s", "\u2028", '"', "\\") }),
        (text) => {
          const embedded = scriptJson({ [text]: text });
          expect(embedded).not.to.match(/[<\u2028\u2029]/);
          expect(JSON.parse(embedded)).to.deep.equal({ [text]: text });
        },
      ),
    );
  });

  it("keeps program text inside its script element, with the same meaning", () => {
    const source = 'const a = "</script><!--";\r\nconst b = /<\\/SCRIPT/i.test(a); return [a, b];';
    const safe = scriptSource(source);
    expect(safe).not.to.match(/<\/script|<!--|\r/i);
    // eslint-disable-next-line @typescript-eslint/no-implied-eval, @typescript-eslint/no-unsafe-call
    expect(new Function(safe)()).to.deep.equal(["</script><!--", true]);
  });

  it("shortens long labels in the middle and escapes after cutting", () => {
    expect(plotLabel("short")).to.equal("short");
    expect(plotLabel("a<bcdefghijklmnopqrstuvwxyz", 9)).to.equal("a&lt;bc…wxyz");
  });
});
