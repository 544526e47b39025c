// The one action that the viewer can take on a job now.
import { Button, Modal, NumberInput, Stack, TextInput } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { Link, useNavigate } from 'react-router';
import { useNow } from '@/components/facts';
import { useReview } from '@/components/ReviewSheet';
import { useNetwork, useSymbol } from '@/lib/api/network';
import type { Job } from '@/lib/api/types';
import { NS_PER_SECOND, parseTokens } from '@/lib/units';
import { cancelDeed, expireDeed, foundDeed, fundDeed } from './deeds';

export function JobActions({ job, me }: { job: Job; me: string | null }) {
  const review = useReview();
  const queries = useQueryClient();
  const network = useNetwork();
  const late = useLate(job);
  const builder = job.builder === me;
  const waitsForMe = job.approvals.some((approval) => approval.owner === me && approval.state === 'pending');
  if (late && me) return <Button variant="default" onClick={() => void review(expireDeed(queries, job))}>Close this job: its time is over</Button>;
  if (waitsForMe && job.state === 'proposed') return <Button component={Link} to="/requests">Answer the request</Button>;
  if (builder && job.state === 'approved' && network.data) {
    const known = network.data;
    return (
      <>
        <Button onClick={() => void review(fundDeed(queries, job, known))}>Fund this job</Button>
        <CancelButton job={job} />
      </>
    );
  }
  if (builder && (job.state === 'proposed' || job.state === 'funded')) return <CancelButton job={job} />;
  if (job.state === 'settled' && job.model) return <Button component={Link} to={`/models/${job.model}`}>See the model</Button>;
  if (job.state === 'settled' && job.shares.some((share) => share.owner === me && share.share_bps > 0)) return <FoundButton job={job} />;
  return null;
}

/** Anybody may close a job whose deadline has passed without what it waits for. */
function useLate(job: Job): boolean {
  const now = useNow();
  if (job.state === 'proposed' || job.state === 'approved') return now > BigInt(job.approve_by_ns);
  if (job.state === 'funded') return now > BigInt(job.finish_by_ns);
  return false;
}

function CancelButton({ job }: { job: Job }) {
  const review = useReview();
  const queries = useQueryClient();
  return (
    <Button variant="subtle" color="red" onClick={() => void review(cancelDeed(queries, job))}>
      Cancel this job
    </Button>
  );
}

function FoundButton({ job }: { job: Job }) {
  const [opened, { open, close }] = useDisclosure(false);
  return (
    <>
      <Button onClick={open}>Found its cooperative</Button>
      <Modal opened={opened} onClose={close} title="Found the cooperative of this model" closeButtonProps={{ 'aria-label': 'Close' }}>
        <FoundForm job={job} onClose={close} />
      </Modal>
    </>
  );
}

function FoundForm({ job, onClose }: { job: Job; onClose: () => void }) {
  const review = useReview();
  const queries = useQueryClient();
  const symbol = useSymbol();
  const navigate = useNavigate();
  const [name, setName] = useState(job.title);
  const [price, setPrice] = useState('0.1');
  const [treasury, setTreasury] = useState<number | string>(5);
  const [voting, setVoting] = useState<number | string>(60);
  const amount = parseTokens(price);
  const wrong = !name.trim() || amount === null || treasury === '' || voting === '';
  async function found() {
    if (amount === null) return;
    onClose();
    const minutes = BigInt(Math.round(Number(voting)));
    const parameters = {
      price_e8s: amount,
      treasury_bps: BigInt(Math.round(Number(treasury) * 100)),
      voting_period_ns: minutes * 60n * NS_PER_SECOND,
      quiet_period_ns: (minutes * 60n * NS_PER_SECOND) / 4n,
    };
    const holder: { canister: string | null } = { canister: null };
    const done = await review(foundDeed(queries, job, { name: name.trim(), parameters }, holder));
    if (done && holder.canister) await navigate(`/models/${holder.canister}`);
  }
  return (
    <Stack>
      <TextInput label="Name of the model" value={name} maxLength={100} onChange={(event) => setName(event.currentTarget.value)} error={!name.trim() && 'Give it a name.'} />
      <TextInput label="Price of an answer" description={`In ${symbol}`} inputMode="decimal" value={price} onChange={(event) => setPrice(event.currentTarget.value)} error={amount === null && 'An amount of tokens with at most 8 decimals.'} />
      <NumberInput label="Kept for the treasury" description="Percent of each payment, at most 20" min={0} max={20} decimalScale={2} value={treasury} onChange={setTreasury} />
      <NumberInput label="A vote is open for" description="Minutes, 1 to 43,200 (30 days)" min={1} max={43_200} allowDecimal={false} value={voting} onChange={setVoting} />
      <Button disabled={wrong} onClick={() => void found()}>
        Review and sign
      </Button>
    </Stack>
  );
}
