import { expect, test } from 'vitest';
import { canonicalJson, fromHex, toHex } from './bytes';

test('canonical JSON is the text that Python writes', () => {
  const value = { b: [1, 2.5, null, true], a: 'é\u007f\u2028"\\', '\u{1F600}': 1, '\uffff': 2 };

  expect(canonicalJson(value)).toBe('{"a":"\\u00e9\\u007f\\u2028\\"\\\\","b":[1,2.5,null,true],"\\uffff":2,"\\ud83d\\ude00":1}');
});

test('what JSON does not have is refused', () => {
  expect(() => canonicalJson({ a: Number.NaN })).toThrow(RangeError);
  expect(() => canonicalJson([Infinity])).toThrow(RangeError);
});

test('hex goes both ways, and what is not hex is refused', () => {
  expect(toHex(fromHex('00ff10'))).toBe('00ff10');
  for (const wrong of ['0', 'zz', '0x00', ' 00']) expect(() => fromHex(wrong)).toThrow(RangeError);
});
