// The policy simulator: asks the registry itself what it would say to a request. Changes nothing, signs nothing.
import { Alert, Button, Select, Stack, Text, TextInput } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState, type FormEvent } from 'react';
import { Amount } from '@/components/facts';
import { errorText } from '@/components/states';
import { useRecipes } from '@/lib/api/jobs';
import type { Dataset } from '@/lib/api/types';
import { fromHex } from '@/lib/bytes';
import { knownNetwork, loadChain } from '@/lib/chain/load';
import type { Opt } from '@/lib/contracts/common';
import type { VerdictAnswer } from '@/lib/contracts/registry';
import { usePrincipal } from '@/lib/identity/session';
import { e8s } from '@/lib/units';

export function Simulator({ dataset }: { dataset: Dataset }) {
  const queries = useQueryClient();
  const recipes = useRecipes();
  const me = usePrincipal();
  const [builder, setBuilder] = useState<string | null>(null);
  const [purpose, setPurpose] = useState('research');
  const [chosen, setChosen] = useState<string | null>(null);
  const code = chosen ?? recipes.data?.[0]?.code_hash ?? null;
  const asked = builder ?? me ?? '';

  const preview = useMutation({
    mutationFn: async () => {
      const [chain, network] = await Promise.all([loadChain(), knownNetwork(queries)]);
      const request = {
        dataset_id: BigInt(dataset.id),
        version: BigInt(dataset.version),
        builder: parsed((text) => chain.Principal.fromText(text), asked),
        purpose,
        code_hash: fromHex(code ?? ''),
        compute: { Central: null },
        epsilon_micros: [],
      };
      const answer = await chain.callQuery<Opt<VerdictAnswer>>(network.root_key, { canister: network.canisters.registry, contract: chain.registry, method: 'policy_preview', args: [request] });
      if (!answer.length) throw new Error('The registry knows no such version of this dataset.');
      return answer[0];
    },
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    preview.mutate();
  };
  return (
    <form onSubmit={submit}>
      <Stack gap="sm">
        <Text size="sm" c="dimmed">
          Ask the registry what it would answer to a request. Nothing is signed and nothing changes.
        </Text>
        <TextInput label="Builder" description="A principal" value={asked} onChange={(event) => setBuilder(event.currentTarget.value.trim())} required />
        <TextInput label="Purpose" value={purpose} onChange={(event) => setPurpose(event.currentTarget.value)} required maxLength={60} />
        <Select label="Code" data={recipes.data?.map((recipe) => ({ value: recipe.code_hash, label: recipe.title })) ?? []} value={code} onChange={setChosen} allowDeselect={false} />
        <Button type="submit" variant="default" loading={preview.isPending} disabled={!asked || !code}>
          What would it say?
        </Button>
        {preview.error && (
          <Alert color="red" variant="light" role="alert">
            {errorText(preview.error)}
          </Alert>
        )}
        {preview.data && <Answer verdict={preview.data} />}
      </Stack>
    </form>
  );
}

function parsed<P>(parse: (text: string) => P, text: string): P {
  try {
    return parse(text);
  } catch {
    throw new Error('The builder is not a principal. It looks like aaaaa-bbbbb-…-ccc.');
  }
}

const SAYS = { AutoApprove: 'It would approve at once', Ask: 'It would ask the owner', Deny: 'It would deny' } as const;

function Answer({ verdict }: { verdict: VerdictAnswer }) {
  const decision = Object.keys(verdict.decision)[0] as keyof typeof SAYS;
  return (
    <Alert role="status" variant="light" color={decision === 'Deny' ? 'red' : decision === 'Ask' ? 'amber' : 'teal'} title={SAYS[decision]}>
      Because {verdict.reason}. {decision !== 'Deny' && <>Price: <Amount e8s={e8s(verdict.price_e8s)} />.</>} Policy version {verdict.policy_version.toString()}.
    </Alert>
  );
}
