// Never run: `npm run check-types` proves that these calls mean what the declarations say.
import { open, Cdp, CdpError, type Frame, type Profile, type Receipt } from 'embedded-cdp'

interface Traits { country: string }
interface Features { total_spend: number }
interface Member { email: string; 'features.total_spend': number }

async function shop(): Promise<void> {
  using db: Cdp = open('shop.db', { busyTimeoutMs: 500, clock: new Date() })
  db.define('./definitions', { dryRun: true }).map(defined => defined.status.length)
  const receipt: Receipt = await db.ingestAsync(Buffer.from(''), { source: 'shop_csv', firstRow: 1, onProgress: rows => rows < 1e6 })
  receipt.firstRejects[0]?.reason.length
  const person: Profile<Traits, Features> | null = db.profile<Traits, Features>({ userId: '14646' }, { asOf: Date.now() })
  person?.traits.country.length
  person?.features.total_spend.toFixed()
  const page: Frame<Member> = db.members<Member>('high_value_30d', { columns: ['email'], orderBy: '-features.total_spend', limit: 10 })
  db.members('high_value_30d', { after: page.next ?? undefined })
  for await (const member of db.iterateMembers<Member>('high_value_30d')) member.email.length
  db.predict('interest_cohort', { text: 'trail running' })?.modelVersion?.toFixed()
  db.registerScorer('taste', async (texts, cohorts) => texts.map(() => ({ cohort: cohorts[0]?.cohort ?? null, score: 0.5 })), { method: 'mine/1', pauseMs: 10 })
  db.registerScorer('taste', null)
  db.evaluate('interest_cohort', { folds: 3, split: 'time' })
  db.predict('interest_cohort', { userId: 'u1' }, { topK: 3 })?.scores.hiking?.toFixed()
  const { choice } = db.decide<{ experience: string }>('checkout', { userId: 'u1' }, { event: 'Order Completed', properties: { amount: 120 } })
  choice.experience.length
  db.consent({ userId: 'u1' }, { purpose: 'marketing', channel: 'email', status: 'granted' })
  const { withheld } = await db.exportAsync({ audience: 'vip', path: 'vip.csv', purpose: 'marketing', signal: AbortSignal.timeout(1000) })
  withheld.consentUnknown.toFixed()
  try {
    db.track({ event: 'Product Added', userId: 'u1' })
  } catch (error) {
    if (error instanceof CdpError && error.code === 'busy') error.hint?.length
  }

  // @ts-expect-error: a scorer gives scores
  db.registerScorer('taste', texts => texts)
  // @ts-expect-error: options are camelCase
  db.members('vip', { order_by: 'x' })
  // @ts-expect-error: a code that does not exist
  if (new Error() instanceof CdpError && ({} as CdpError).code === 'nope') return
  // @ts-expect-error: only `open` makes a store
  new Cdp()
}
void shop
