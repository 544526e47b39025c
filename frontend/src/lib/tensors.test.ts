import { expect, test } from 'vitest';
import { decodeValues, encodeValues, manifestArg, tensorArg, tensorOf } from './tensors';

test.each([
  ['float32', [0, 1.5, -2, 3.4028234663852886e38]],
  ['float64', [0.1, -1e300]],
  ['int32', [-5, 2147483647]],
  ['int64', [-5, 9007199254740991]],
  ['uint8', [0, 255]],
  ['int8', [-128, 127]],
])('%s goes to bytes and back', (dtype, values) => {
  expect(decodeValues(dtype, encodeValues(dtype, values))).toEqual(values);
});

test('bytes are little-endian', () => {
  expect([...encodeValues('float32', [1])]).toEqual([0, 0, 128, 63]);
});

test('an unknown type is refused by name', () => {
  expect(() => encodeValues('complex64', [1])).toThrow(/complex64/);
});

test('a tensor in JSON becomes the argument of a call', () => {
  const tensor = tensorOf({ name: 'features', dtype: 'float32', shape: ['1', 2], data: '0000803f00000040' });

  expect(tensor).toEqual({ name: 'features', dtype: 'float32', shape: [1, 2], values: [1, 2] });
  expect(tensorArg(tensor)).toMatchObject({ shape: [1n, 2n], data: new Uint8Array([0, 0, 128, 63, 0, 0, 0, 64]) });
});

test('a manifest takes its numbers from text or numbers', () => {
  const hash = 'ab'.repeat(32);
  const manifest = manifestArg({
    job_id: 3, title: 'r', wasm_sha256: hash, wasm_chunks: [{ sha256: hash, size_bytes: '7' }], weight_chunks: [], onnx_sha256: hash, transcript_hash: hash, card_hash: hash,
    metrics: [{ name: 'accuracy', value_ppm: -5 }], equality: [], tolerance_e9: '100000', estimated_instructions: '123',
  });

  expect(manifest).toMatchObject({ job_id: 3n, wasm_chunks: [{ size_bytes: 7n }], metrics: [{ value_ppm: -5n }], tolerance_e9: 100_000n, estimated_instructions: 123n });
});
