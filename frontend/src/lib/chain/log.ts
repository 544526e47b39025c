// "How do we know?": fetches a block and everything after it from the canister's own log, and checks the way up to the certified tip.
import { Cbor, Certificate, lookup_path, lookupResultToBuffer, reconstruct, type HashTree } from '@icp-sdk/core/agent';
import { Principal } from '@icp-sdk/core/principal';
import { equal, fromHex, toHex } from '@/lib/bytes';
import { log, type GetBlocksAnswer, type Icrc3Value, type Opt, type TipCertificate } from '@/lib/contracts/common';
import { callQuery } from './agent';
import { ChainBroken, checkHashChain, shownValue, valueHash, type Shown } from './icrc3';

const PAGE = 100n;

export interface VerifiedBlock {
  index: bigint;
  block: Icrc3Value;
  hash: string;
  tip: { index: bigint; hash: string };
  /** When the network signed the certificate of the tip. */
  certified_at_ns: bigint;
  /** Blocks whose hashes were followed. */
  followed: number;
}

/** `onProgress`: blocks fetched, of how many. Throws ChainBroken when anything does not fit. */
export async function verifyBlock(rootKey: string, canister: string, index: bigint, onProgress: (done: number, total: number) => void = () => undefined): Promise<VerifiedBlock> {
  const tip = await certifiedTip(rootKey, canister);
  if (index > tip.index) throw new ChainBroken(`The log ends at block ${tip.index}; there is no block ${index}.`);
  const blocks: { id: bigint; block: Icrc3Value }[] = [];
  const total = Number(tip.index - index) + 1;
  while (blocks.length < total) {
    const start = index + BigInt(blocks.length);
    const left = tip.index - start + 1n;
    const args = [[{ start, length: left < PAGE ? left : PAGE }]];
    const answer = await callQuery<GetBlocksAnswer>(rootKey, { canister, contract: log, method: 'icrc3_get_blocks', args });
    if (answer.blocks.length === 0) throw new ChainBroken(`The canister did not give block ${start}.`);
    for (const { id, block } of answer.blocks) {
      if (id !== index + BigInt(blocks.length)) throw new ChainBroken(`The canister gave block ${id} where another was asked for.`);
      blocks.push({ id, block });
    }
    onProgress(blocks.length, total);
  }
  await checkHashChain(blocks, tip.hash);
  const found = blocks[0] as { id: bigint; block: Icrc3Value };
  return {
    index,
    block: found.block,
    hash: toHex(await valueHash(found.block)),
    tip: { index: tip.index, hash: toHex(tip.hash) },
    certified_at_ns: tip.certified_at_ns,
    followed: blocks.length,
  };
}

interface Tip {
  index: bigint;
  hash: Uint8Array;
  certified_at_ns: bigint;
}

async function certifiedTip(rootKey: string, canister: string): Promise<Tip> {
  const [given] = await callQuery<Opt<TipCertificate>>(rootKey, { canister, contract: log, method: 'icrc3_get_tip_certificate', args: [] });
  if (!given) throw new ChainBroken('The log is empty: there is nothing to certify yet.');
  const id = Principal.fromText(canister);
  const certificate = await Certificate.create({ certificate: Uint8Array.from(given.certificate), rootKey: fromHex(rootKey), principal: { canisterId: id } });
  const certified = lookupResultToBuffer(certificate.lookup_path(['canister', id.toUint8Array(), 'certified_data']));
  const tree = Cbor.decode<HashTree>(Uint8Array.from(given.hash_tree));
  if (!certified || !equal(certified, await reconstruct(tree))) throw new ChainBroken('The tip is not what the network has certified for this canister.');
  const hash = leaf(tree, 'last_block_hash');
  const time = lookupResultToBuffer(certificate.lookup_path(['time']));
  if (!time) throw new ChainBroken('The certificate does not say when it was made.');
  return { index: leb128(leaf(tree, 'last_block_index')), hash, certified_at_ns: leb128(time) };
}

function leaf(tree: HashTree, name: string): Uint8Array {
  const value = lookupResultToBuffer(lookup_path([name], tree));
  if (!value) throw new ChainBroken(`The certified tree does not name ${name}.`);
  return value;
}

function leb128(data: Uint8Array): bigint {
  return data.reduceRight((sum, byte) => (sum << 7n) | BigInt(byte & 0x7f), 0n);
}

const MAX_PRINCIPAL_BYTES = 29;
const NO_PRINCIPALS = new Set(['memo', 'key']);

/** A block as a person reads it: principals in their own text, other bytes in hex. */
export const shownBlock = (block: Icrc3Value): Shown =>
  shownValue(block, (data, name) => (data.length > 0 && data.length <= MAX_PRINCIPAL_BYTES && !NO_PRINCIPALS.has(name) ? Principal.fromUint8Array(data).toText() : toHex(data)));
