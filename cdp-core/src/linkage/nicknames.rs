//! Which given names stand for each other, and which words are given names at all.
//!
//! A short name is evidence of a comparison, never a rewriting of the input. The list is common knowledge of
//! English and some European languages; a name may stand in several groups.

use std::sync::OnceLock;

use rustc_hash::FxHashMap;
use smallvec::SmallVec;

const GROUPS: &str = "\
robert bob rob bobby robbie bert roberto;william will bill billy willie liam wilhelm guillermo;richard rick dick rich ricky \
ricardo;james jim jimmy jamie jacob jaime;john jack johnny jon jonathan johann hans juan jean ian sean;edward ed eddie ted teddy \
ned eduardo;edmund ed eddie;edwin ed eddie;thomas tom tommy tomas;charles charlie chuck chas carl carlos karl;joseph joe joey jose \
josef giuseppe;michael mike mick mickey mikey miguel michel mikhail;david dave davey davy;daniel dan danny;matthew matt matty mateo;\
christopher chris kit topher;christian chris;christine chris chrissy christina tina kristin kristina;anthony tony antonio anton;\
andrew andy drew andreas andre;steven steve stephen stevie stefan esteban;kenneth ken kenny;ronald ron ronnie;donald don donnie;\
timothy tim timmy;gregory greg gregor;lawrence larry laurence lars;gerald gerry jerry;jerome jerry;leonard leo len lenny leon;\
alexander alex al sandy xander alec alejandro sasha;albert al bert alberto;alfred al fred alfie;frederick fred freddie freddy \
federico;francis frank fran francisco francesco franz;franklin frank;benjamin ben benny benji;samuel sam sammy;samantha sam sammie;\
nicholas nick nicky nico klaus nicolas;peter pete pedro pierre;philip phil phillip felipe;patrick pat paddy rick;patricia pat patty \
trish tricia patsy;raymond ray ramon;walter walt wally;henry harry hank heinrich enrique henri hal;harold harry hal;george georgie \
jorge georg;louis lou lewis luis;theodore ted teddy theo;nathaniel nathan nate nat;zachary zach zack;joshua josh;jeffrey jeff \
geoffrey geoff;vincent vince vinny;arthur art artie;martin marty;victor vic;eugene gene;stanley stan;russell russ;douglas doug;\
bradley brad;clifford cliff;norman norm;oliver ollie oli;isaac ike zac;abraham abe bram;elizabeth liz beth betty eliza lizzie libby \
lisa elsie bess betsy lisbeth elisabeth elise isabel;margaret maggie meg peggy marge margie rita greta margarita daisy madge;\
catherine cathy kate katie kathy kitty cat katherine kathryn katharine kathleen karen katrina catarina;mary molly polly mamie maria \
marie mae maureen;jennifer jen jenny jenn;jessica jess jessie;rebecca becky becca;susan sue susie suzanne susanna;barbara barb \
babs barbie;dorothy dot dottie dolly;deborah deb debbie debra;judith judy judie;victoria vicky vicki tori;virginia ginny ginger;\
alexandra alex sandra sandy lexi;amanda mandy;anne ann anna annie nancy hannah ana anita;abigail abby gail;caroline carol carrie \
carolyn lina;charlotte lottie charlie lotte;cynthia cindy;diana di diane;eleanor ellie nell nora elena ella ellen helen lenore;\
emily em emma emmy millie;evelyn eve evie eva;florence flo flossie;frances fran fanny francesca;gabrielle gabby;georgina georgie \
gina;gwendolyn gwen;harriet hattie;henrietta etta hetty;isabella izzy bella isabel isabelle belle;jacqueline jackie;jane janet janie \
jean joan joanna;josephine jo josie;julia julie jules;kimberly kim;laura laurie lori;leslie les;lillian lily lil lilly;linda lindy \
lynn;louise lou lulu;lucy lucille lucinda lucia;madeline maddie madeleine;martha marty patty;matilda tilly mattie;melissa mel lissa \
missy;melanie mel;michelle shelly;mildred millie;natalie nat;nicole nicky nikki;olivia liv livvy;pamela pam;penelope penny;philippa \
pippa;rachel rae;roberta bobbie;rosemary rose rosie;rosalind rose;sarah sally sadie sara;sophia sophie sofia;stephanie steph;\
teresa terry tess theresa tessa;valerie val;veronica ronnie;winifred winnie;yvonne eve;zoe zo;archibald archie;barnabas barney;\
bernard bernie barney;calvin cal;clarence clar;dennis denny;dominic dom nick;elijah eli;emmanuel manny manuel;ernest ernie;gilbert \
gil;gordon gordy;herbert herb bert;hubert hugh bert;ignatius iggy ignacio;jackson jack;jason jay;jeremiah jerry jeremy;julian jules;\
lucas luke luca lukas;malcolm mal;marcus mark marc marco;maurice morris;maxwell max maximilian;mitchell mitch;montgomery monty;\
mohammed mohamed muhammad mohammad mo;oscar ossie;percival percy;quentin quinn;ralph raphael rafael;reginald reg reggie;roderick rod \
roddy;rodney rod;roger rodge;rudolph rudy;salvatore sal;sebastian seb;sidney sid;simon si;solomon sol;spencer spence;terence terry;\
tobias toby;ulysses lyss;wesley wes;wilfred wilf;adelaide addie;agnes aggie;beatrice bea trixie;bridget biddy;cassandra cass;cecilia \
cissy;constance connie;cordelia delia;delilah lila;edith edie;ethel eth;genevieve gen viv;geraldine gerry;gertrude gert trudy;\
imogen immy;jemima mima;lauren laurie;lorraine lori;loretta lori;magdalena lena;marjorie marge;maximillian max;miranda mandy;miriam \
mimi;muriel mur;myrtle myr;nadine nad;phyllis phil;priscilla cilla;prudence pru;ruth ruthie;sylvia syl;tabitha tabby;ursula ursie;\
vivian viv;wilhelmina mina;friedrich fritz;johannes hans;margarethe grete;aleksandr sasha;dmitri dima;vladimir vova;ivan vanya";

type Groups = FxHashMap<&'static str, SmallVec<[u16; 3]>>;

fn groups() -> &'static Groups {
    static KNOWN: OnceLock<Groups> = OnceLock::new();
    KNOWN.get_or_init(|| {
        let mut known = Groups::default();
        for (group, names) in GROUPS.split(';').enumerate() {
            for name in names.split_whitespace() {
                known.entry(name).or_default().push(group as u16);
            }
        }
        known
    })
}

/// Whether both names may stand for one.
pub(crate) fn stand_for_each_other(left: &str, right: &str) -> bool {
    let known = groups();
    match (known.get(left), known.get(right)) {
        (Some(left), Some(right)) => left.iter().any(|group| right.contains(group)),
        _ => false,
    }
}

/// Whether this word is a common given name.
pub(crate) fn is_given_name(word: &str) -> bool {
    groups().contains_key(word)
}
