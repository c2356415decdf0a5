"""What the examples train on without a download: a text that comes with Python, and a list of towns."""

from __future__ import annotations

import re

from .errors import InvalidInputError

ENGLISH_TOWNS = """
Abingdon Accrington Aldeburgh Aldershot Alnwick Alton Altrincham Ambleside Amesbury Andover Appleby Arundel Ashbourne
Ashby Ashford Atherstone Aylesbury Aylsham Bakewell Banbury Barnard Barnsley Barnstaple Basildon Basingstoke Batley
Battle Beaconsfield Beccles Bedale Bedford Belper Berkhamsted Berwick Beverley Bewdley Bexhill Bicester Bideford
Biggleswade Billericay Birkenhead Birmingham Blackburn Blackpool Blandford Bletchley Blyth Bodmin Bolsover Bolton
Boston Bournemouth Bracknell Bradford Braintree Brentwood Bridgnorth Bridgwater Bridlington Bridport Brighouse
Brighton Bristol Brixham Bromsgrove Bromyard Buckingham Bude Bungay Burford Burnham Burnley Burslem Burton Bury Buxton
Caistor Calne Camborne Cambridge Camelford Canterbury Carlisle Castleford Chard Chatham Chelmsford Cheltenham Chepstow
Chertsey Chesham Chester Chesterfield Chichester Chippenham Chorley Christchurch Cirencester Cleethorpes Clevedon
Clitheroe Cockermouth Colchester Congleton Consett Corby Coventry Cowes Crawley Crediton Crewe Crewkerne Cromer
Crowborough Croydon Darlington Dartford Dartmouth Daventry Deal Derby Dereham Devizes Dewsbury Didcot Diss Doncaster
Dorchester Dorking Dover Driffield Droitwich Dronfield Dudley Dunstable Durham Easingwold Eastbourne Eastleigh
Egremont Ellesmere Ely Epping Epsom Evesham Exeter Exmouth Fakenham Falmouth Fareham Faringdon Farnborough Farnham
Faversham Felixstowe Ferryhill Fleet Fleetwood Folkestone Fordingbridge Framlingham Frome Gainsborough Garstang
Gateshead Gillingham Glastonbury Glossop Gloucester Godalming Goole Gosport Grantham Gravesend Grays Grimsby Guildford
Guisborough Hadleigh Hailsham Halesowen Halesworth Halifax Halstead Harlow Harpenden Harrogate Hartlepool Harwich
Haslemere Hastings Hatfield Havant Haverhill Hawes Haywards Helmsley Helston Henley Hereford Hertford Hexham Hinckley
Hitchin Hoddesdon Holmfirth Holsworthy Honiton Horncastle Hornsea Horsham Houghton Howden Hucknall Huddersfield
Hungerford Hunstanton Huntingdon Hythe Ilfracombe Ilkeston Ilkley Ilminster Ipswich Ironbridge Jarrow Keighley Kendal
Keswick Kettering Kidderminster Kingsbridge Kington Kirkham Knaresborough Knutsford Lancaster Launceston Leamington
Ledbury Leeds Leek Leicester Leigh Leominster Letchworth Lewes Lichfield Lincoln Liskeard Liverpool Loughborough Louth
Lowestoft Ludlow Luton Lutterworth Lyme Lymington Lytham Mablethorpe Macclesfield Maidenhead Maidstone Maldon
Malmesbury Malton Malvern Manchester Mansfield Margate Marlborough Marlow Maryport Matlock Melksham Melton Mexborough
Middlesbrough Middleton Midhurst Minehead Morecambe Moreton Morpeth Nailsworth Nantwich Nelson Newark Newbury
Newcastle Newhaven Newmarket Newport Newquay Normanton Northallerton Northampton Northwich Norwich Nottingham Nuneaton
Oakham Okehampton Oldbury Oldham Ormskirk Ossett Oswestry Otley Oundle Oxford Padstow Paignton Penrith Penryn Penzance
Pershore Peterborough Peterlee Petersfield Petworth Pickering Plymouth Pocklington Pontefract Poole Portishead
Portsmouth Preston Prudhoe Pudsey Radstock Ramsbottom Ramsgate Rawtenstall Rayleigh Reading Redcar Redditch Redruth
Reigate Retford Richmond Ripley Ripon Rochdale Rochester Romford Romsey Rotherham Royston Rugby Rugeley Runcorn
Rushden Ryde Rye Salford Salisbury Saltash Saltburn Sandbach Sandwich Saxmundham Scarborough Scunthorpe Seaford Seaham
Sedbergh Selby Settle Sevenoaks Shaftesbury Sheffield Shepton Sherborne Sheringham Shildon Shipley Shipston Shoreham
Shrewsbury Sidmouth Skegness Skelmersdale Skipton Sleaford Slough Southampton Southport Southwold Spalding Spilsby
Stafford Staines Stalybridge Stamford Stevenage Steyning Stockport Stockton Stourbridge Stowmarket Stratford Stroud
Sudbury Sunderland Swaffham Swanage Swindon Tadcaster Tamworth Taunton Tavistock Teignmouth Telford Tenbury Tenterden
Tetbury Tewkesbury Thetford Thirsk Thornbury Tiverton Todmorden Tonbridge Torquay Torrington Totnes Towcester
Trowbridge Truro Tynemouth Uckfield Ulverston Uppingham Uttoxeter Ventnor Wadebridge Wakefield Wallingford Walsall
Waltham Wantage Ware Wareham Warminster Warrington Warwick Watford Wellingborough Wellington Wells Wetherby Weymouth
Whitby Whitchurch Whitehaven Whitstable Widnes Wigan Wigton Wilmslow Winchester Windermere Windsor Winsford Wisbech
Witham Witney Woking Wokingham Wolverhampton Woodbridge Woodstock Wooler Worcester Workington Worksop Worthing
Wymondham Yarmouth Yeovil York
"""


def english_towns() -> list[str]:
    """Return the names of 486 towns and cities of England, in alphabetical order: a short list of documents.

    Only names of one word are in it.

    Returns
    -------
    names : list of str

    Examples
    --------
    >>> from crnn.datasets import english_towns
    >>> english_towns()[:3]
    ['Abingdon', 'Accrington', 'Aldeburgh']
    """
    return ENGLISH_TOWNS.split()


def python_manual() -> str:
    """Return an English text included with CPython: the language reference that ``help()`` shows.

    The text has more than 300,000 characters and differs a little from one version of Python to the next. It has each
    paragraph once, no tables, and one character in place of a run of spaces, stars or dashes: a network that has
    learned to repeat a character does not stop at a low temperature.

    Returns
    -------
    text : str

    Raises
    ------
    InvalidInputError
        If this Python lacks the module ``pydoc_data.topics``.

    Examples
    --------
    >>> from crnn.datasets import python_manual
    >>> text = python_manual()
    >>> len(text) > 300_000
    True
    """
    try:
        from pydoc_data.topics import topics
    except ImportError as error:
        raise InvalidInputError(
            "this Python lacks pydoc_data.topics, the text of the examples and of crnn demo. "
            "Use your own text instead: crnn train FILE -o MODEL, or open(FILE, encoding='utf-8').read() in Python"
        ) from error
    paragraphs = dict.fromkeys("\n\n".join(topics.values()).split("\n\n"))
    without_tables = re.sub(r"(?m)^ *[|+].*\n", "", "\n\n".join(paragraphs))
    return re.sub(r"(\W)\1+", r"\1", without_tables)
