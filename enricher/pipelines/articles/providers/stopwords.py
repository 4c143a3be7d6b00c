"""Words that say nothing of what a text is about, by language: the most frequent function words, in lower case.

Enough to tell the languages apart, too. Written for this package.
"""

from __future__ import annotations

from collections.abc import Mapping

STOPWORDS: Mapping[str, frozenset[str]] = {
    language: frozenset(words.split())
    for language, words in {
        "en": """
            a about above according across after again against ago all almost alone along already also although
            always am
            among an and another any anyone anything are around as ask asked at away back be became because become been
            before began being below between both but by called came can cannot come could day days did didn do
            does doesn
            doing don done down during each either else enough even ever every everyone everything few first
            five for four
            from gave get gets getting give given go goes going gone good got great had has have having he her
            here herself
            him himself his how however i if in including instead into is isn it its itself just keep kind know
            known last
            later least less let like likely little ll long look lot made make makes making many may maybe me mean means
            might month months more most much must my near need needs never new next no nor not nothing now of off often
            old on once one ones only onto or other others our out over own part people per perhaps put quite rather re
            really right said same saw say saying says second see seem seems seen several shall she should show since
            six so some someone something soon still such take taken takes tell than that the their them themselves then
            there these they thing things think this those though thought three through time times to today
            together told
            too took toward towards turn two under until up upon us use used uses using ve very via want wanted
            wants was
            wasn way ways we week weeks well went were weren what when where whether which while who whole whom
            whose why
            will with within without won work would year years yes yet you your""",
        "de": """
            aber alle allem allen aller alles als also am an andere anderen auch auf aus bei beim bereits bis
            bisher da dabei
            dadurch dafür damit dann daran darauf darf das dass davon dazu dem den denn der deren des deshalb
            dessen die dies
            diese diesem diesen dieser dieses doch dort drei du durch ein eine einem einen einer eines einige
            einmal er erst
            erste ersten es etwa etwas euch eure für gab geben gegen geht gibt habe haben hat hatte hatten heute
            hier hin
            hinter ich ihm ihn ihnen ihr ihre ihrem ihren ihrer im immer in ins ist ja jahr jahre jahren jede
            jedem jeden
            jeder jedes jedoch jetzt kann kein keine keinen können könnte laut lassen machen macht man mehr mein
            mehrere mit
            muss müssen nach neben nicht nichts noch nun nur ob oder ohne sagt sagte schon sehr sei sein seine
            seinem seinen
            seiner seit selbst sich sie sind so sogar soll sollen sollte sondern sowie statt über um und uns
            unser unter viel
            viele vom von vor war waren warum was wegen weil weiter welche wenn wer werde werden wie wieder will
            wir wird
            wo wollen worden wurde wurden während zu zum zur zwar zwei zwischen""",
        "fr": """
            a ai ainsi alors après au aucun aujourd aussi autre autres aux avait avant avec avoir beaucoup bien
            c ce cela ces
            cet cette ceux chaque chez comme comment contre d dans de depuis des deux dit doit donc dont du déjà
            elle elles en
            encore entre est et eu eux faire fait faut il ils j je jour l la le les leur leurs lors lui là ma
            mais me mes moi
            moins mois mon même n ne nos notre nous on ont ou où par parce parmi pas peu peut peuvent plus
            plusieurs pour
            pourquoi pourrait premier première puis qu quand que quel quelle quelques qui quoi s sa sans se selon ses si
            soit son sont sous sur t ta tandis tant te tous tout toute toutes trois trop très tu un une vers
            voir vos votre
            vous y à ça été étaient était être""",
        "es": """
            a al algo algunas algunos ante antes aquí así aunque años año cada como con contra cual cuando
            cuatro de del desde
            después dice dijo donde dos durante e el ella ellas ellos en entre era eran es esa ese eso esta
            estaba estado
            estar estas este esto estos está están fue fueron gran ha haber había habían han hasta hay hoy la
            las le les lo
            los luego mayor me menos mi mientras mismo mucho muchos muy más ni no nos nuestra nuestro o otra
            otras otro otros
            para parte pero poco por porque primera primero puede pueden que quien quienes qué se sea según ser
            si sido sin
            sino sobre solo son su sus sí también tanto te tener tiene tienen toda todas todo todos tras tres tu
            un una uno
            unos vez y ya yo él""",
        "it": """
            a abbiamo ad ai al alla alle allo altre altri altro anche ancora anni anno aveva che chi ci come con
            contro cosa
            così cui da dagli dai dal dalla dalle degli dei del della delle dello di dopo dove due durante e ed
            era erano essere
            fa fatto fino fra già gli ha hanno ho i il in invece io la le lei li lo loro lui l ma mentre mi mio molto ne
            negli nei nel nella nelle noi non nostro nuovo o ogni oggi per perché però più poi prima primo proprio può
            quale quali quando quanto quello questa queste questi questo qui quindi quella se secondo sempre
            senza si sia
            siamo solo sono sta stata stati stato su sua sue sugli sul sulla suo suoi tra tre tutta tutte tutti
            tutto un una uno va
            verso vi è""",
        "pt": """
            a ainda ano anos antes ao aos apenas após aquela aquele as assim até cada com como contra da das de
            depois desde
            disse do dois dos durante e ela elas ele eles em enquanto entre era eram essa esse esta estava este
            está estão eu
            foi foram grande há isso isto já la lhe mais mas me menos mesmo meu minha muito muitos na nas nem no
            nos nossa
            nosso não num numa o onde os ou outra outras outro outros para parte pela pelas pelo pelos pode
            podem por porque
            pouco primeira primeiro quais qual quando que quem se segundo seja sem ser será seu seus sido sobre
            sua suas são
            só tal também tanto tem ter toda todas todo todos três tudo um uma umas uns você à às é""",
        "nl": """
            aan al alle alleen als altijd andere ben bij daar dan dat de deze die dit door drie dus een eerste
            en er ging geen
            gaan gaat had hadden haar hebben heeft hem het hier hij hoe hun iets ik in is jaar jaren ja je kan
            komen komt kon
            kunnen maar maken man me meer men met mijn moet moeten na naar niet niets nog nu of om omdat onder ons onze
            ook op over sinds te tegen toch toen tot tussen twee uit van vanaf veel voor vooral waar waren wat
            was we wel
            werd werden weer welke werden wie wij wil willen worden wordt zal ze zei zeggen zegt zelf zich zij zijn zo
            zonder zou zouden zullen""",
    }.items()
}
