// Tensors as the chain takes them: little-endian bytes with name, dtype and shape. And a release's manifest from its JSON form.
import type { ReleaseManifestJson, TensorJson } from './api/types';
import { fromHex, type Bytes } from './bytes';
import type { TensorArg } from './contracts/cooperative';

export interface Tensor {
  name: string;
  dtype: string;
  shape: number[];
  values: number[];
}

const SIZES: Readonly<Record<string, number>> = { float32: 4, float64: 8, int32: 4, int64: 8, uint8: 1, int8: 1 };

export class UnknownDtype extends Error {
  override readonly name = 'UnknownDtype';
  constructor(dtype: string) {
    super(`Tensors of type ${dtype} cannot be shown here.`);
  }
}

const size = (dtype: string): number => {
  const bytes = SIZES[dtype];
  if (!bytes) throw new UnknownDtype(dtype);
  return bytes;
};

export function encodeValues(dtype: string, values: readonly number[]): Bytes {
  const bytes = size(dtype);
  const data = new Uint8Array(values.length * bytes);
  const view = new DataView(data.buffer);
  values.forEach((value, i) => write(view, dtype, i * bytes, value));
  return data;
}

function write(view: DataView, dtype: string, at: number, value: number): void {
  if (dtype === 'float32') view.setFloat32(at, value, true);
  else if (dtype === 'float64') view.setFloat64(at, value, true);
  else if (dtype === 'int32') view.setInt32(at, value, true);
  else if (dtype === 'int64') view.setBigInt64(at, BigInt(Math.trunc(value)), true);
  else if (dtype === 'uint8') view.setUint8(at, value);
  else view.setInt8(at, value);
}

export function decodeValues(dtype: string, data: Uint8Array): number[] {
  const bytes = size(dtype);
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  return Array.from({ length: Math.floor(data.byteLength / bytes) }, (_, i) => read(view, dtype, i * bytes));
}

function read(view: DataView, dtype: string, at: number): number {
  if (dtype === 'float32') return view.getFloat32(at, true);
  if (dtype === 'float64') return view.getFloat64(at, true);
  if (dtype === 'int32') return view.getInt32(at, true);
  if (dtype === 'int64') return Number(view.getBigInt64(at, true));
  return dtype === 'uint8' ? view.getUint8(at) : view.getInt8(at);
}

export const tensorOf = (json: TensorJson): Tensor => ({
  name: json.name,
  dtype: json.dtype,
  shape: json.shape.map(Number),
  values: decodeValues(json.dtype, fromHex(json.data)),
});

export const tensorArg = (tensor: Tensor): TensorArg => ({
  name: tensor.name,
  dtype: tensor.dtype,
  shape: tensor.shape.map(BigInt),
  data: encodeValues(tensor.dtype, tensor.values),
});

const rawTensor = (json: TensorJson): TensorArg => ({ name: json.name, dtype: json.dtype, shape: json.shape.map(BigInt), data: fromHex(json.data) });
const chunk = (json: { sha256: string; size_bytes: number | string }) => ({ sha256: fromHex(json.sha256), size_bytes: BigInt(json.size_bytes) });

/** The manifest as a proposal carries it. Its hash must be the one among the job's artifacts: the cooperative checks that. */
export const manifestArg = (json: ReleaseManifestJson) => ({
  job_id: BigInt(json.job_id),
  title: json.title,
  wasm_sha256: fromHex(json.wasm_sha256),
  wasm_chunks: json.wasm_chunks.map(chunk),
  weight_chunks: json.weight_chunks.map(chunk),
  onnx_sha256: fromHex(json.onnx_sha256),
  transcript_hash: fromHex(json.transcript_hash),
  card_hash: fromHex(json.card_hash),
  metrics: json.metrics.map(({ name, value_ppm }) => ({ name, value_ppm: BigInt(value_ppm) })),
  equality: json.equality.map((vector) => ({ inputs: vector.inputs.map(rawTensor), outputs: vector.outputs.map(rawTensor) })),
  tolerance_e9: BigInt(json.tolerance_e9),
  estimated_instructions: BigInt(json.estimated_instructions),
});
