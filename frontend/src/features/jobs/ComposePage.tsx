// Composing a job: recipe, settings, datasets, money, deadlines; then review, sign, and if all owners agree at once, fund.
import { Alert, Button, MultiSelect, NumberInput, Select, SimpleGrid, Stack, Text, TextInput } from '@mantine/core';
import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { useNavigate, useSearchParams } from 'react-router';
import { Amount } from '@/components/facts';
import { PageHead, Section } from '@/components/layout';
import { useReview } from '@/components/ReviewSheet';
import { Shown } from '@/components/states';
import { useDatasets } from '@/lib/api/datasets';
import { useRecipes } from '@/lib/api/jobs';
import { useSymbol } from '@/lib/api/network';
import type { DatasetSummary, Recipe } from '@/lib/api/types';
import { formatUnits } from '@/lib/format';
import { parseTokens, sumE8s } from '@/lib/units';
import { proposalSteps, type JobDraft } from './compose';
import { ConfigForm } from './ConfigForm';

export function ComposePage() {
  const recipes = useRecipes();
  const datasets = useDatasets({ state: 'active', page_size: 100 });
  return (
    <>
      <PageHead title="Compose a job" lead="Name the data, the recipe and the budget. Policies answer at once; owners who want to be asked are asked. Nothing starts without all of them." />
      <Shown query={recipes} what="recipes">
        {(list) => <Shown query={datasets} what="datasets">{(page) => <Form recipes={list} datasets={page.results} />}</Shown>}
      </Shown>
    </>
  );
}

function Form({ recipes, datasets }: { recipes: Recipe[]; datasets: DatasetSummary[] }) {
  const [search] = useSearchParams();
  const first = recipes[0];
  const [recipeName, setRecipe] = useState(first?.name ?? '');
  const recipe = recipes.find((one) => one.name === recipeName) ?? first;
  const [config, setConfig] = useState<Record<string, unknown>>(first?.default_config ?? {});
  const [title, setTitle] = useState('');
  const [purpose, setPurpose] = useState('research');
  const [chosen, setChosen] = useState<string[]>(() => (search.get('datasets')?.split(',') ?? []).filter((id) => datasets.some((dataset) => String(dataset.id) === id)));
  const [fee, setFee] = useState('5');
  const [reserve, setReserve] = useState('0');
  const [hours, setHours] = useState<number | string>(24);
  const symbol = useSymbol();
  const picked = datasets.filter((dataset) => chosen.includes(String(dataset.id)));
  const [workerFee, extra] = [parseTokens(fee), parseTokens(reserve)];
  const prices = sumE8s(picked.map((dataset) => dataset.policy?.price_e8s ?? '0'));
  const budget = sumE8s([prices, workerFee ?? 0n, extra ?? 0n]);
  const propose = usePropose();
  if (!recipe) return <Alert color="amber" variant="light" title="This marketplace offers no recipe">A job needs one: ask its operator.</Alert>;

  const faults = [!title.trim() && 'a title', !purpose.trim() && 'a purpose', picked.length === 0 && 'at least one dataset', workerFee === null && "the worker's fee", extra === null && 'the reserve', hours === '' && 'the time'].filter(Boolean);
  const draft = (): JobDraft => ({ title: title.trim(), purpose: purpose.trim(), recipe, config, datasets: picked, workerFee: workerFee ?? 0n, budget, hours: Number(hours) });
  return (
    <Stack>
      <Section title="What for">
        <SimpleGrid cols={{ base: 1, sm: 2 }}>
          <TextInput label="Title" required maxLength={200} value={title} onChange={(event) => setTitle(event.currentTarget.value)} />
          <TextInput label="Purpose" description="Policies decide by this word" required maxLength={60} value={purpose} onChange={(event) => setPurpose(event.currentTarget.value)} />
        </SimpleGrid>
      </Section>
      <Section title="Data" note={formatUnits(picked.length, 'dataset')}>
        <MultiSelect label="Datasets" searchable data={datasets.map((dataset) => ({ value: String(dataset.id), label: `${dataset.title} (${dataset.id})` }))} value={chosen} onChange={setChosen} placeholder={chosen.length ? '' : 'Choose'} />
        {picked.map((dataset) => (
          <Text key={dataset.id} size="sm" mt="xs">
            <b>{dataset.title}</b>: {dataset.policy?.sentence ?? 'no policy is set, so it will be denied.'}
          </Text>
        ))}
      </Section>
      <Section title="Recipe">
        <Stack>
          <Select label="Recipe" data={recipes.map((one) => ({ value: one.name, label: one.title }))} value={recipe.name} allowDeselect={false} onChange={(name) => {
            const next = recipes.find((one) => one.name === name);
            if (!next) return;
            setRecipe(next.name);
            setConfig(next.default_config);
          }} />
          <Text size="sm">{recipe.description}</Text>
          <ConfigForm key={recipe.name} schema={recipe.config_schema} config={config} onChange={setConfig} />
        </Stack>
      </Section>
      <Section title="Money and time">
        <SimpleGrid cols={{ base: 1, sm: 3 }}>
          <TextInput label="Worker's fee" description={`In ${symbol}`} inputMode="decimal" value={fee} onChange={(event) => setFee(event.currentTarget.value)} error={workerFee === null && 'An amount of tokens.'} />
          <TextInput label="Reserve" description="Comes back if it is not needed" inputMode="decimal" value={reserve} onChange={(event) => setReserve(event.currentTarget.value)} error={extra === null && 'An amount of tokens.'} />
          <NumberInput label="Hours to answer" description="As many again to train" min={1} max={4_000} allowDecimal={false} value={hours} onChange={setHours} />
        </SimpleGrid>
        <Text mt="sm">
          Budget: <Amount e8s={budget} />, of which <Amount e8s={prices} /> for the data. The model is shared: 70 % to those whose data made it, 20 % to you, 10 % to the worker.
        </Text>
      </Section>
      {faults.length > 0 && <Text size="sm" c="dimmed">Still missing: {faults.join(', ')}.</Text>}
      <Button disabled={faults.length > 0} onClick={() => void propose(draft())} style={{ alignSelf: 'flex-end' }}>
        Review and sign
      </Button>
    </Stack>
  );
}

function usePropose() {
  const review = useReview();
  const queries = useQueryClient();
  const navigate = useNavigate();
  return async (draft: JobDraft) => {
    const holder: { job: bigint | null; state: string } = { job: null, state: '' };
    const asks = draft.datasets.filter((dataset) => dataset.policy?.decision !== 'AutoApprove').length;
    const done = await review({
      title: `Propose "${draft.title}"`,
      button: 'Propose this job',
      changes: [
        `The job is recorded on the chain, with ${formatUnits(draft.datasets.length, 'dataset')}; each policy answers at once.`,
        asks ? `${formatUnits(asks, 'owner')} may have to answer first. You fund the job when all have agreed.` : 'If all agree at once, you can fund it right after.',
      ],
      seenBy: 'Everybody: title, purpose, settings and data named.',
      cost: 'Nothing yet. Funding it is a second step.',
      undo: 'You can cancel it until a worker claims it.',
      steps: proposalSteps(queries, draft, holder),
    });
    if (done && holder.job !== null) await navigate(`/jobs/${holder.job}`);
  };
}
