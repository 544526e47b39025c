// Asking the model from a program: the same two signed calls, with the Python client and a key of one's own.
import { Button, Group } from '@mantine/core';
import { useState } from 'react';
import { useNetwork } from '@/lib/api/network';
import type { Model, Network } from '@/lib/api/types';
import css from './playground.module.css';

export function Snippet({ model }: { model: Model }) {
  const network = useNetwork();
  const [copied, setCopied] = useState(false);
  if (!network.data) return null;
  const text = snippet(model, network.data, location.origin);
  return (
    <details>
      <summary>Ask it from a program</summary>
      <pre className={css.code}>{text}</pre>
      <Group gap="xs">
        <Button size="compact-xs" variant="default" onClick={() => void navigator.clipboard.writeText(text).then(() => setCopied(true))}>
          {copied ? 'Copied' : 'Copy'}
        </Button>
      </Group>
    </details>
  );
}

/** Python, for a copy of the project. Takes the first held-out row of the release as input. */
export function snippet(model: Pick<Model, 'canister' | 'job_id' | 'price_e8s'>, network: Pick<Network, 'root_key' | 'token'>, origin: string): string {
  return `from pathlib import Path

from canisters.interface.principal import Principal
from marketplace.client import Market, Person
from marketplace.client.forms import manifest_from_json

MODEL = Principal.from_text("${model.canister}")
PRICE_E8S, FEE_E8S = ${model.price_e8s}, ${network.token.fee_e8s}
ROOT_KEY = bytes.fromhex("${network.root_key}")

with Market("${origin}") as market:
    me = Person.with_key_file(Path("me.pem"), market, ROOT_KEY)  # made when there is none; it needs tokens
    release = manifest_from_json(market.job_release(${model.job_id})["manifest"])
    me.spender_allow(MODEL, PRICE_E8S + FEE_E8S)
    answer, receipt = me.infer(MODEL, release["equality"][0]["inputs"], max_price_e8s=PRICE_E8S)
    Path("receipt.cbor").write_bytes(receipt.to_bytes())  # proves the answer offline
    print(answer["outputs"], "for", answer["price_e8s"], "e8s")`;
}
