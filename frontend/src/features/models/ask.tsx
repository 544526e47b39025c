// One paid answer: the person allows the cooperative to draw the price, then asks. Both calls are signed here and verified here.
import type { QueryClient } from '@tanstack/react-query';
import { Amount } from '@/components/facts';
import type { Deed } from '@/components/ReviewSheet';
import { allow, costWithFees } from '@/lib/allowance';
import type { Model, Network } from '@/lib/api/types';
import { toHex, type Bytes } from '@/lib/bytes';
import { indexed, signAndCall } from '@/lib/chain/load';
import type { InferAnswer } from '@/lib/contracts/cooperative';
import { decodeValues, tensorArg, type Tensor } from '@/lib/tensors';
import { e8s, type E8s } from '@/lib/units';

export interface PaidAnswer {
  outputs: Tensor[];
  instructions: bigint;
  price: E8s;
  parts: { owner: string; amount: E8s }[];
  manifest_hash: string;
  block: number;
  /** Request, answer and certificate: anybody can check it offline against the root key. */
  receipt: Bytes;
}

export function askDeed(queries: QueryClient, network: Network, model: Model, inputs: Tensor[], holder: { answer: PaidAnswer | null }): Deed {
  const price = BigInt(model.price_e8s);
  const fee = BigInt(network.token.fee_e8s);
  const pays = price > 0n;
  return {
    title: `Ask "${model.name}"`,
    button: 'Ask this model',
    changes: [
      pays ? <>The cooperative draws <Amount e8s={model.price_e8s} /> from your account and splits it among its owners.</> : 'The model answers; nothing is paid.',
      'If the model cannot answer, the price is yours again, to claim on your earnings page.',
    ],
    seenBy: 'Everybody sees that you asked and what you paid, and hashes of question and answer. The question itself is seen by the nodes that run the model.',
    cost: pays ? <><Amount e8s={costWithFees(price, fee)} />, of which two fees of <Amount e8s={network.token.fee_e8s} /> go to the ledger.</> : 'Nothing.',
    undo: 'An answer cannot be given back.',
    steps: [
      ...(pays
        ? [
            {
              name: 'Allow the cooperative to draw the price',
              signed: true,
              run: ({ stage }: { stage: Parameters<typeof allow>[3] & object }) => allow(queries, model.canister, price, stage),
            },
          ]
        : []),
      {
        name: 'Ask the model on the chain',
        signed: true,
        run: async ({ stage }) => {
          const { value, receipt } = await signAndCall<InferAnswer>(
            queries,
            (chain) => ({ canister: model.canister, contract: chain.cooperative, method: 'infer', args: [{ inputs: inputs.map(tensorArg), max_price_e8s: price }] }),
            stage,
          );
          holder.answer = answerOf(value, receipt);
          void indexed(queries, model.canister, value.block);
        },
      },
    ],
  };
}

export function answerOf(value: InferAnswer, receipt: Bytes): PaidAnswer {
  return {
    outputs: value.outputs.map((output) => ({ name: output.name, dtype: output.dtype, shape: Array.from(output.shape, Number), values: decodeValues(output.dtype, Uint8Array.from(output.data)) })),
    instructions: value.instructions,
    price: e8s(value.price_e8s),
    parts: value.parts.map((part) => ({ owner: part.owner.toText(), amount: e8s(part.amount_e8s) })),
    manifest_hash: toHex(Uint8Array.from(value.manifest_hash)),
    block: Number(value.block),
    receipt,
  };
}
